"""Values of secrets for one component, in a file of this user's own on a file system in memory: no disk ever has them.

The keeper reads them whenever it starts the component. They are gone when the component is removed, and when the host
is started anew: then the component waits until an order gives them again.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from services.deployer.drivers.process.keeper.folder import read_json, write_json

MEMORY = Path("/dev/shm")  # noqa: S108 - it is for this, in a folder that nobody else may enter
IN_MEMORY = frozenset({"tmpfs", "ramfs"})

DRAFT_SECONDS = 60
"""Nobody writes one for so long."""


class NoMemory(OSError):
    """Nothing can be kept in memory alone here; the message says why."""


def give(root: Path, order: str, values: Mapping[str, str]) -> None:
    """Keep the values, by variable, that an order gives to the component of a folder; nothing = forget them.

    Raises NoMemory.
    """
    if values:
        refuse()
        write_json(_file(root), {"root": str(root.resolve()), "order": order, "values": dict(values)})
    else:
        forget(root)


def given(root: Path, order: str, names: tuple[str, ...]) -> dict[str, str] | None:
    """The values of these variables as the order gave them; None = they are not there any more."""
    if not names:
        return {}
    try:
        _own_folder()
        found = read_json(_file(root))
    except (OSError, ValueError):
        return None
    values: dict[str, str] = found.get("values") or {}
    return values if found.get("order") == order and set(values) == set(names) else None


def forget(root: Path) -> None:
    """The component needs none any more."""
    _file(root).unlink(missing_ok=True)


def sweep() -> None:
    """Forget those of folders that are there no more: somebody has taken a site or a home away by hand."""
    for draft in _folder().glob(".*.json.*"):
        if time.time() - draft.stat().st_mtime > DRAFT_SECONDS:  # who wrote it was killed meanwhile
            draft.unlink(missing_ok=True)
    for file in _folder().glob("*.json"):
        if (root := read_json(file).get("root")) and not Path(root).is_dir():
            file.unlink(missing_ok=True)


def refuse() -> None:
    """Raise NoMemory where nothing can be kept in memory alone."""
    kinds = {each.mountpoint: each.fstype for each in psutil.disk_partitions(all=True)}
    if kinds.get(str(MEMORY)) not in IN_MEMORY:
        raise NoMemory(f"this host has no file system in memory at {MEMORY}, where values of secrets are kept")
    _own_folder()


def _own_folder() -> None:
    """Others may write beside it: one that somebody else made, or may enter, is not ours."""
    folder = _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise NoMemory(f"{folder} is not a folder of this user alone: remove it, and look who made it")


def _folder() -> Path:
    return MEMORY / f"belay-{os.geteuid()}"


def _file(root: Path) -> Path:
    return _folder() / f"{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:32]}.json"
