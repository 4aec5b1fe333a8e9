"""Reading a .tar.gz that may be hostile: every rule is checked before a byte of a member is written anywhere."""

import gzip
import hashlib
import os
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from shared.messages.base import Fault

from .faults import MOST_FAULTS, fault
from .names import Tree, fault_of_name
from .stream import MIB, Inflated, Limits, Stop

BUFFER = 16 * 1024
_CORRUPT = (tarfile.TarError, gzip.BadGzipFile, zlib.error, ValueError, ArithmeticError, LookupError)
"""What reading a damaged archive raises. Other errors of the operating system are not the bundle's fault."""

_KINDS: dict[bytes, str] = {
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "named pipe",
}
Keep = Callable[[str], int | None]
"""The most bytes of a file that is to be returned whole, by its name; None for any other."""

KEPT_BYTES = 16 * MIB
"""Of all that is returned together."""


class Kept(NamedTuple):
    """Which files of an archive are returned whole."""

    wanted: Keep
    """One that is larger than it says ends the reading."""
    perhaps: Keep = lambda _: None
    """One that is larger, or more than there is room for, is not returned."""
    until: str | None = None
    """The file that shows that nobody needs those of `perhaps`, nor MD5 sums; without one there are none of these."""


Look = Callable[[str, IO[bytes], str], None]
"""Takes the name of a file, its content to read at will, and its sha256."""

IN_MEMORY = 16 * MIB
"""A file that is to be looked into lies in memory up to this size, and in a temporary file above."""

_WITHOUT_CONTENT = {*_KINDS, tarfile.DIRTYPE}
"""tarfile reads on right after the header of these, whatever size they claim."""


@dataclass(slots=True)
class Contents:
    """What was found in an archive."""

    digests: dict[str, str] = field(default_factory=dict)
    """sha256 by name, of every file."""
    sums: dict[str, str] = field(default_factory=dict)
    """MD5 by name, where they were asked for."""
    kept: dict[str, bytes] = field(default_factory=dict)
    passed_by: list[str] = field(default_factory=list)
    """Files that were perhaps to be returned, and are too large."""
    faults: list[Fault] = field(default_factory=list)
    complete: bool = False
    """Whether it was read to its end."""


def read(
    path: Path,
    *,
    keep: Kept | Mapping[str, int],
    target: Path | None = None,
    look: tuple[str, Look] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    told: Callable[[int], None] | None = None,
    lenient: bool = False,
) -> Contents:
    """Read the archive once, from front to end.

    Files that `keep` names are returned; a mapping has the names with the most bytes of each. `look` is shown each file
    whose name begins as it says, one after the other; without it, and with `target`, an empty folder, the files are
    written there as long as no fault was found; `lenient`: all that have none of their own, to be looked into.
    `told` hears how many bytes of it are read. Faults are in the result; raises OSError when the disk fails.
    """
    kept = keep if isinstance(keep, Kept) else Kept(keep.get)
    reader = _Reader(kept, target, look, limits, told, lenient)
    with path.open("rb") as file:
        try:
            reader.walk(file)
        except Stop as stop:
            reader.contents.faults.append(stop.fault)
        except EOFError:
            reader.contents.faults.append(fault("truncated", "", "the file ends too early; it was not copied whole"))
        except _CORRUPT as error:
            reader.contents.faults.append(_corrupt(error, reader.contents))
    return reader.contents


def _corrupt(error: Exception, contents: Contents) -> Fault:
    if isinstance(error, gzip.BadGzipFile) and "Not a gzipped file" in str(error):
        return fault("not_gzip", "", "the file is not compressed with gzip; a bundle is a .tar.gz")
    if isinstance(error, tarfile.ReadError) and "unexpected end" in str(error):
        return fault("truncated", "", "the archive ends too early; it was not written whole")
    if isinstance(error, tarfile.ReadError) and not contents.digests and not contents.faults:
        return fault("not_tar", "", f"there is no tar archive in the file ({error})")
    return fault("corrupt", "", f"the archive is damaged ({error})")


def digest_of(path: Path) -> str:
    """The sha256 of a file. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Reader:
    def __init__(
        self,
        keep: Kept,
        target: Path | None,
        look: tuple[str, Look] | None,
        limits: Limits,
        told: Callable[[int], None] | None,
        lenient: bool,
    ) -> None:
        self.contents = Contents()
        self._told = told
        self._look = look
        self._keep = keep
        self._target = target
        self._lenient = lenient
        self._limits = limits
        self._undecided = keep.until is not None
        self._kept_bytes = 0
        self._tree = Tree()

    def walk(self, file: IO[bytes]) -> None:
        stream = Inflated(file, self._limits)
        with tarfile.open(fileobj=stream, mode="r|", bufsize=BUFFER) as archive:  # type: ignore[call-overload]
            for number, member in enumerate(archive, start=1):
                if number > self._limits.files:
                    raise Stop(fault("too_many_files", "", f"it has more than {self._limits.files} files and folders"))
                stream.allow(0 if member.type in _WITHOUT_CONTENT else max(member.size, 0))
                self._take(archive, member)
                if self._told:
                    self._told(file.tell())
                archive.members.clear()  # or tarfile keeps them all, with whatever their headers hold
            end = archive.offset
        stream.drain()
        if stream.filled > end:
            raise Stop(fault("corrupt", "", f"what follows byte {end} of the unpacked archive is no tar header"))
        self.contents.complete = True

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = member.name.removeprefix("./")
        if member.isdir() and name in {"", "."}:
            return  # `tar czf x.tar.gz .` names the folder itself
        if found := self._fault(member, name):
            self._blame(found)
        elif member.isreg():
            self._read_file(archive, member, name)

    def _blame(self, found: Fault) -> None:
        self.contents.faults.append(found)
        if len(self.contents.faults) >= MOST_FAULTS:
            raise Stop(fault("too_many_faults", "", f"reading ended after {MOST_FAULTS} faults"))

    def _fault(self, member: tarfile.TarInfo, name: str) -> Fault | None:
        if found := fault_of_name(name):
            return found
        if member.issparse():
            raise Stop(fault("not_a_file", name, "only files and folders are taken, this is a sparse file"))
        if not (member.isreg() or member.isdir()):
            kind = _KINDS.get(member.type, "special file")
            return fault("not_a_file", name, f"only files and folders are taken, this is a {kind}")
        if member.mode & 0o7000 and not member.isdir():  # of folders no mode is taken, and build hosts set such bits
            return fault("bad_mode", name, "setuid, setgid and sticky bits are not taken", oct(member.mode))
        if member.size > self._limits.file_bytes:
            raise Stop(fault("file_too_large", name, f"has more than {self._limits.file_bytes} bytes", member.size))
        return self._tree.add_folder(name) if member.isdir() else self._tree.add_file(name)

    def _read_file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> None:
        source = archive.extractfile(member)
        if source is None:
            raise Stop(fault("corrupt", name, "the file has no content"))
        keeps = self._keeps(name, member.size)
        if self._look and name.startswith(self._look[0]):
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as draft:
                self._copy(source, name, draft, keeps)
                draft.seek(0)
                self._look[1](name, draft, self.contents.digests[name])
        elif self._target and (self._lenient or not self.contents.faults):
            self._check_again(member, self._target)
            with _create(self._target / name, member.mode) as sink:
                self._copy(source, name, sink, keeps)
        else:
            self._copy(source, name, None, keeps)

    def _keeps(self, name: str, size: int) -> bool:
        """Whether a file is returned whole, decided before it is read: it lies in memory then."""
        if name == self._keep.until:
            self._undecided = False
        wanted = self._keep.wanted(name)
        perhaps = self._keep.perhaps(name) if self._undecided and wanted is None else None
        most = wanted if wanted is not None else perhaps
        if most is None:
            return False
        if size > most or self._kept_bytes + size > KEPT_BYTES:
            if wanted is not None:
                raise Stop(fault("file_too_large", name, f"has more than {most} bytes", size))
            self.contents.passed_by.append(name)
            return False
        self._kept_bytes += size
        return True

    def _copy(self, source: IO[bytes], name: str, sink: IO[bytes] | None, keeps: bool) -> None:
        digest = hashlib.sha256()
        md5 = hashlib.md5(usedforsecurity=False) if self._undecided else None
        kept = []
        while chunk := source.read(MIB):
            digest.update(chunk)
            if md5:
                md5.update(chunk)
            if sink:
                sink.write(chunk)
            if keeps:
                kept.append(chunk)
        self.contents.digests[name] = digest.hexdigest()
        if md5:
            self.contents.sums[name] = md5.hexdigest()
        if keeps:
            self.contents.kept[name] = b"".join(kept)

    def _check_again(self, member: tarfile.TarInfo, target: Path) -> None:
        """The standard library's own rules as a second net, where this Python has them (3.11.4)."""
        if (second_net := getattr(tarfile, "data_filter", None)) is not None:
            second_net(member, str(target))


def _create(path: Path, mode: int) -> IO[bytes]:
    """A new file, executable or not, whatever else its mode said. Raises FileExistsError rather than follow a link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o755 if mode & 0o100 else 0o644), "wb")
