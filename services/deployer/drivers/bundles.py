"""Bundles from the blob store onto this machine: into a folder of a driver, or kept unpacked for all its orders."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.locks import locked
from shared import bundle
from shared.blobs import Blobs, UnknownBlob

Unpack = Callable[[str, Path], Awaitable[None]]
"""Unpack the bundle of that sha256 into a folder that appears whole or not at all; raises Failed."""

YOUNG_SECONDS = 86_400.0
"""What was used within a day is never cleared away: somebody may still read it."""


def from_store(blobs: Blobs) -> Unpack:
    """How a driver gets at bundles. What it returns raises Failed, and OSError when the store is down."""

    async def unpack(sha256: str, target: Path) -> None:
        try:
            async with blobs.as_file(sha256) as file:
                await asyncio.to_thread(bundle.unpack_published, file, target)
        except UnknownBlob:
            raise Failed("bundle_missing", f"the blob store has no bundle {sha256}") from None
        except bundle.BundleRefused as refused:
            raise Failed("bundle_refused", f"the bundle {sha256} cannot be unpacked: {refused}") from refused

    return unpack


class UnpackedBundles:
    """Bundles under a folder: unpacked once each, never half, read by all and written to by none.

    Any number of deployers may share the folder. `keep` of them stay when nobody has used them for a day.
    """

    def __init__(self, root: Path, unpack: Unpack, keep: int) -> None:
        self._root = root
        self._unpack = unpack
        self._keep = keep

    async def of(self, sha256: str) -> Path:
        """The folder with a bundle's files. Raises Failed, and OSError when the disk or the store fails."""
        target = self._root / Path(sha256).name
        async with locked(self._root / f".{target.name}.lock"):
            if not await asyncio.to_thread(target.is_dir):
                await self._unpack(sha256, target)
            await asyncio.to_thread(os.utime, target)
        return target

    def prune(self, now: float) -> None:
        """Clear away the oldest beyond those that are kept, and what killed processes left of unpacking."""
        prune(self._root, self._keep, now)


def prune(root: Path, keep: int, now: float) -> None:
    """Keep what was used within a day, and the `keep` entries used last; names with a dot are drafts or locks.

    Others may work in the folder at the same time: what is gone already is gone.
    """
    entries = [] if not root.is_dir() else [(age, path) for path in root.iterdir() if (age := _used(path)) is not None]
    whole = sorted((entry for entry in entries if not entry[1].name.startswith(".")), reverse=True)
    drafts = [entry for entry in entries if entry[1].name.startswith(".") and entry[1].suffix != ".lock"]
    for used, path in [*whole[keep:], *drafts]:
        if now - used > YOUNG_SECONDS:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _used(path: Path) -> float | None:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return None
