"""Bundles made by hand, good and hostile, for tests."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from pathlib import Path

MANIFEST = """\
app: lamp
version: "{version}"
upgrades_from: {upgrades_from}
components:
  - driver: simulated
    name: bulb
"""


def unnumbered(field: str) -> str:
    """A place in a bundle.yaml without its line, which a test that writes JSON or one line need not count."""
    return re.sub(r"^bundle\.yaml:\d+", "bundle.yaml", field)


Member = tuple[tarfile.TarInfo, bytes]


def manifest(version: str = "1.0.0", upgrades_from: str = "null", more: str = "") -> bytes:
    """A simulated release of the app `lamp`; `more` is YAML put at its end."""
    return (MANIFEST.format(version=version, upgrades_from=upgrades_from) + more).encode()


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, len(content), mode
    return info, content


def checksums(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()).encode()


def tar(members: list[Member], format: int = tarfile.GNU_FORMAT) -> bytes:  # noqa: A002 - tarfile's own word
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=format, errors="surrogateescape") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def bundle(files: dict[str, bytes] | None = None, extra: list[Member] | None = None) -> bytes:
    """A good bundle of these files, and of what else is put behind them without a checksum."""
    files = {"bundle.yaml": manifest()} | (files or {})
    members = [
        member("checksums.sha256", checksums(files)),
        *(member(name, content) for name, content in files.items()),
    ]
    return gzip.compress(tar(members + (extra or [])), compresslevel=1, mtime=0)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "bundle.tar.gz"
    path.write_bytes(content)
    return path
