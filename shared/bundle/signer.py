"""Bundles written anew with one more signature."""

import gzip
import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from .reading import CHECKSUMS, signable
from .signing import SIGNATURES, line_of


def sign_file(path: Path, out: Path, private: str) -> None:
    """Sign a bundle, or an application tarball, whose list of checksums is made if it has none.

    Raises BadKey, BundleRefused when it cannot be read to its end or its list is faulty, and OSError.
    """
    line_of(private, b"")  # a wrong key is said before a gigabyte is read
    digests, checksums, lines = signable(path)
    sign(path, out, private, digests, checksums, lines)


def sign(path: Path, out: Path, private: str, digests: dict[str, str], checksums: bytes, before: Sequence[str]) -> None:
    """Write the bundle anew with one more signature, without those of the same key.

    `digests` are those of its files, `checksums` its list or empty, `before` the lines that are there. Raises OSError.
    """
    listed = checksums or "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
    line = line_of(private, listed)
    lines = [one for one in before if one.split()[:1] != line.split()[:1]] if checksums else []
    signatures = "".join(f"{one.strip()}\n" for one in [*lines, line]).encode()
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        _write(path, draft, {CHECKSUMS: listed, SIGNATURES: signatures})
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def _write(path: Path, draft: Path, first: dict[str, bytes]) -> None:
    with (
        draft.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
        tarfile.open(path, mode="r|gz") as old,
    ):
        for name, content in first.items():
            _add(archive, name, len(content), io.BytesIO(content))
        for member in old:
            name = member.name.removeprefix("./")
            source = old.extractfile(member) if member.isreg() and name not in first else None
            if source is not None:
                _add(archive, name, member.size, source)


def _add(archive: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, content)
