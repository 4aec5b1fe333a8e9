"""Which app and version a tarball says that it is, found out before anything is asked for."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from services.gateway.doors.sysinv.call import Call
from shared.blobs import Blob
from shared.bundle.archive import read
from shared.messages.base import Fault
from shared.safe_yaml import BadYaml, Document, documents

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
    found = _first(contents.kept[name]) if name else None
    app, version = (_text(found, key) for key in FILES[name]) if name and found else (None, None)
    return Named(app, version)


def _first(content: bytes) -> Document | None:
    try:
        return next(iter(documents(content)), None)
    except BadYaml:
        return None


def _text(found: Document, key: str) -> str | None:
    """As it is written: a version often stands without quotes, and 1.10 is no 1.1."""
    value = found.value.get(key) if isinstance(found.value, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return (found.texts.get((key,)) or str(value)).strip() or None
