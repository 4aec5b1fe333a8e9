"""Looking into a wheel that may be hostile: is it one, and is it the one that its name says?

Nothing is written. Whatever an installer would do with it later happens to its whole content here, under limits.
"""

import csv
import hashlib
import io
import math
import stat
import zipfile
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser
from typing import IO

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, parse_tag
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from shared.messages.base import Fault

from .faults import fault, printable
from .names import MOST_BYTES_OF_A_PART, fault_of_name
from .stream import MIB, Limits, Stop

DIRECTORY_BYTES = 4 * MIB
"""Most bytes that are read at once: zipfile reads the list of files whole, whatever size it claims. Large wheels, such
as those of cloud providers' clients with 20,000 files, have 2 MiB of it."""

METADATA_BYTES = 2 * MIB
MOST_TAGS = 500
"""Of a wheel; one for every platform of a large project has some dozens."""

_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, ArithmeticError, LookupError, NotImplementedError,
    RuntimeError)  # fmt: skip
"""What reading a damaged zip file raises. An OSError is the disk's."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A sound wheel under `wheels/`, and what it asks of where it is installed."""

    file: str
    digest: str
    project: str
    """Its name in the canonical form."""
    version: Version
    tags: frozenset[Tag]
    python: SpecifierSet
    """Requires-Python; an empty one takes every Python."""
    requires: tuple[Requirement, ...] = ()

    def __str__(self) -> str:
        return self.file


class WheelReader:
    """Looks into the wheels of one bundle, which share a limit of what they may unpack to."""

    def __init__(self, limits: Limits) -> None:
        self.wheels: list[Wheel] = []
        self.faults: list[Fault] = []
        self.unsound: set[str] = set()
        """Digests of wheels with faults of their own."""
        self._limits = limits
        self._left = 2 * limits.total_bytes

    def look(self, file: str, content: IO[bytes], digest: str) -> None:
        """Take in one file under `wheels/`. Raises OSError when the disk fails."""
        before = len(self.faults)
        self._look(file, content, digest)
        if len(self.faults) > before:
            self.unsound.add(digest)

    def _look(self, file: str, content: IO[bytes], digest: str) -> None:
        name = file.removeprefix("wheels/")
        if "/" in name or not name.endswith(".whl"):
            self.faults.append(fault("not_a_wheel", file, "directly under wheels/ lie wheels (.whl), and nothing else"))
            return
        if _tags_in("-".join(name.removesuffix(".whl").split("-")[-3:])) > MOST_TAGS:
            self.faults.append(fault("not_a_wheel", file, f"its name stands for more than {MOST_TAGS} tags"))
            return
        try:
            project, version, _, tags = parse_wheel_filename(name)
        except ValueError as error:
            self.faults.append(fault("not_a_wheel", file, f"no name that a wheel may have: {error}"))
            return
        found = Wheel(file, digest, project, version, tags, SpecifierSet())
        try:
            self._read(found, content)
        except Stop as stop:
            self.faults.append(stop.fault.model_copy(update={"field": printable(file)}))
        except _BROKEN as error:
            self.faults.append(fault("not_a_wheel", file, f"cannot be read as a zip archive ({error})"))

    def _read(self, named: Wheel, content: IO[bytes]) -> None:
        size = content.seek(0, io.SEEK_END)
        with zipfile.ZipFile(_Bounded(content)) as archive:
            digests, kept = self._contents(archive, size, _wanted(archive, named))
        found = [*_faults_of_info(named, kept), *_faults_of_record(named, digests, kept)]
        self.faults += found
        if not found:
            self.wheels.append(_with_metadata(named, kept))

    def _contents(
        self, archive: zipfile.ZipFile, size: int, wanted: dict[str, str]
    ) -> tuple[dict[str, str], dict[str, bytes]]:
        """The digest of every file, as RECORD writes it, and those that are `wanted`, whole. Raises Stop."""
        infos = archive.infolist()
        unpacked = sum(info.file_size for info in infos)
        if unpacked > self._limits.ratio_from and unpacked > self._limits.ratio * size:
            raise Stop(fault("compression_bomb", "", f"unpacks to more than {self._limits.ratio} times its size"))
        self._left -= unpacked
        if self._left < 0 or len(infos) > 10 * self._limits.files:
            raise Stop(fault("too_large", "", f"with it the wheels unpack to {-self._left} bytes more than are taken"))
        digests: dict[str, str] = {}
        kept: dict[str, bytes] = {}
        for info in infos:
            if _check_member(info, digests):
                data = _digest(archive, info, keep=METADATA_BYTES if info.filename in wanted else 0)
                digests[info.filename] = data[0]
                if info.filename in wanted:
                    kept[wanted[info.filename]] = data[1]
        return digests, kept


class _Bounded(io.RawIOBase):
    """A file that gives no more than DIRECTORY_BYTES at once, however large a part of it says it is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = DIRECTORY_BYTES + 1
        data = self._file.read(min(size, DIRECTORY_BYTES + 1))
        if len(data) > DIRECTORY_BYTES:
            raise Stop(fault("header_too_large", "", f"a header of the wheel has more than {DIRECTORY_BYTES} bytes"))
        return data


def _wanted(archive: zipfile.ZipFile, named: Wheel) -> dict[str, str]:
    """The files to keep, by the name they have: what lies in the .dist-info of the project and version of the name."""
    found: dict[str, str] = {}
    for name in archive.namelist():
        folder, _, file = name.partition("/")
        if file in {"METADATA", "WHEEL", "RECORD"} and _is_info_of(folder, named):
            found[name] = file
    return found


def _is_info_of(folder: str, named: Wheel) -> bool:
    project, _, version = folder.removesuffix(".dist-info").partition("-")
    try:
        same = canonicalize_name(project) == named.project and Version(version) == named.version
    except InvalidVersion:
        return False
    return folder.endswith(".dist-info") and same


def _check_member(info: zipfile.ZipInfo, seen: dict[str, str]) -> bool:
    """Whether it is a file to be read; a folder is not. Raises Stop for what no wheel holds."""
    name = info.filename
    if info.is_dir():
        return False
    if found := fault_of_name(name):
        raise Stop(fault(found.code, "", f"holds {printable(name)!r}: {found.message}"))
    if name in seen:
        raise Stop(fault("duplicate_name", "", f"holds {printable(name)!r} more than once"))
    if info.flag_bits & 0x1:
        raise Stop(fault("encrypted", "", f"{printable(name)!r} is encrypted"))
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.create_system == 3 and kind not in {0, stat.S_IFREG}:
        raise Stop(fault("not_a_file", "", f"{printable(name)!r} is a link or a special file"))
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise Stop(fault("not_a_wheel", "", f"{printable(name)!r} is packed in a way that not every installer reads"))
    return True


def _digest(archive: zipfile.ZipFile, info: zipfile.ZipInfo, keep: int) -> tuple[str, bytes]:
    """The content's sha256 and, if it is to be kept, itself. zipfile reads no further than the size it has named."""
    if keep and info.file_size > keep:
        raise Stop(fault("file_too_large", "", f"{printable(info.filename)!r} has more than {keep} bytes"))
    digest, kept = hashlib.sha256(), b""
    with archive.open(info) as file:
        while chunk := file.read(MIB):
            digest.update(chunk)
            kept += chunk if keep else b""
    return urlsafe_b64encode(digest.digest()).rstrip(b"=").decode(), kept


def _faults_of_info(named: Wheel, kept: dict[str, bytes]) -> Iterator[Fault]:
    """METADATA and WHEEL say what the name of the file says, and are there."""
    for file in ("METADATA", "WHEEL", "RECORD"):
        if file not in kept:
            message = (
                f"holds no {named.project}-{named.version}.dist-info/{file}: it is another wheel than its name says"
            )
            yield fault("wheel_mismatch", named.file, message)
    if "METADATA" in kept:
        yield from _faults_of_metadata(named, kept["METADATA"])
    if "WHEEL" in kept:
        said = BytesParser().parsebytes(kept["WHEEL"]).get_all("Tag", [])
        many = len(said) > MOST_TAGS or sum(map(_tags_in, said)) > MOST_TAGS
        if many or frozenset(tag for text in said for tag in _tags(text)) != named.tags:
            message = f"its WHEEL says {printable(', '.join(said[:20]))}, its name {_shown(named.tags)}"
            yield fault("wheel_mismatch", named.file, message)


def _faults_of_metadata(named: Wheel, content: bytes) -> Iterator[Fault]:
    raw, _ = parse_email(content)
    said = raw.get("name", ""), raw.get("version", "")
    try:
        same = (canonicalize_name(said[0]), Version(said[1])) == (named.project, named.version)
    except InvalidVersion:
        same = False
    if not same:
        message = f"its METADATA says {printable(' '.join(said))}, its name {named.project} {named.version}"
        yield fault("wheel_mismatch", named.file, message)
    try:
        SpecifierSet(raw.get("requires_python", ""))
        list(map(Requirement, raw.get("requires_dist", [])))
    except (InvalidSpecifier, InvalidRequirement) as error:
        yield fault("wheel_mismatch", named.file, f"its METADATA cannot be read: {str(error).splitlines()[0]}")


def _faults_of_record(named: Wheel, digests: dict[str, str], kept: dict[str, bytes]) -> Iterator[Fault]:
    """RECORD names every file with the digest it has, so what is installed is what was built."""
    if "RECORD" not in kept:
        return
    try:
        rows = list(csv.reader(io.StringIO(kept["RECORD"].decode(errors="replace"))))
    except csv.Error as error:
        yield fault("wheel_mismatch", named.file, f"its RECORD cannot be read: {error}")
        return
    listed = {row[0]: row[1] for row in rows if len(row) >= 2}
    own = next((name for name in listed if name.endswith(".dist-info/RECORD")), "")
    folder = own.removesuffix("RECORD")
    exempt = {own, *(folder + signature for signature in _SIGNATURES)}
    for name in sorted((digests.keys() ^ listed.keys()) - exempt)[:3]:
        where = "its RECORD does not name" if name in digests else "it lacks"
        yield fault("wheel_mismatch", named.file, f"{where} {printable(name)!r}")
    wrong = (n for n, d in listed.items() if d.startswith("sha256=") and n in digests and d[7:] != digests[n])
    for name in sorted(wrong)[:3]:
        yield fault("wheel_mismatch", named.file, f"{printable(name)!r} is not what its RECORD says it is")


def _with_metadata(named: Wheel, kept: dict[str, bytes]) -> Wheel:
    raw, _ = parse_email(kept["METADATA"])
    python = SpecifierSet(raw.get("requires_python", ""))
    requires = tuple(map(Requirement, raw.get("requires_dist", [])))
    return Wheel(named.file, named.digest, named.project, named.version, named.tags, python, requires)


def _tags_in(text: str) -> int:
    """How many tags a compressed one stands for: `py2.py3-none-any` are two, and 200 characters may be 20,000."""
    return math.prod(part.count(".") + 1 for part in text.split("-"))


def _tags(text: str) -> frozenset[Tag]:
    try:
        return parse_tag(text.strip()) if len(text) <= MOST_BYTES_OF_A_PART else frozenset()
    except ValueError:
        return frozenset()


def _shown(tags: frozenset[Tag]) -> str:
    return ", ".join(sorted(map(str, tags)))
