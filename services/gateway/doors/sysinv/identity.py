"""Which app and version a tarball says that it is, found out before anything is asked for."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

from services.gateway.doors.sysinv.call import Call
from shared.blobs import Blob
from shared.bundle.archive import read
from shared.messages.base import Fault
from shared.safe_yaml import BadYaml, load

FILES = {"bundle.yaml": ("app", "version"), "metadata.yaml": ("app_name", "app_version")}
"""Where it is written, and under which keys: in bundles of Belay, and in those of StarlingX."""

MOST_BYTES = 1 << 20


class Named(NamedTuple):
    """What a tarball says; None where it does not. `faults`: of an archive that cannot be read."""

    app: str | None
    version: str | None
    faults: tuple[Fault, ...] = ()


async def named_by(call: Call, blob: Blob) -> Named:
    """Reads the whole archive, as its validation does again later."""
    async with call.gateway.blobs.as_file(blob.sha256) as path:
        return await asyncio.to_thread(_named, path)


def _named(path: Path) -> Named:
    contents = read(path, keep=dict.fromkeys(FILES, MOST_BYTES))
    if not contents.complete:
        return Named(None, None, tuple(contents.faults))
    name = next((name for name in FILES if name in contents.kept), None)
    found = _mapping(contents.kept[name]) if name else {}
    app, version = (found.get(key) for key in FILES[name]) if name else (None, None)
    return Named(_text(app), _text(version))


def _mapping(content: bytes) -> dict[str, Any]:
    try:
        found = load(content)
    except BadYaml:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    """A version is often written without quotes: 1.0 is read as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None
