"""Taking a bundle apart: everything it must be is checked here, and every fault is named."""

import errno
import re
import shutil
import tempfile
import uuid
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from shared.messages.base import Fault
from shared.messages.manifest import Manifest, Verified

from .archive import Contents, read
from .completeness import faults_of_unlocked, faults_of_wheels
from .faults import BundleRefused, fault, fault_of_size, printable
from .hosts import Host, named_by, this_host, unfit
from .manifests import MANIFEST, claimed, content_readers, manifest_of, requirement_files, written
from .requirements import Pin, pins_of
from .stream import MIB, Limits
from .wheels import WheelReader

CHECKSUMS = "checksums.sha256"
WHEELS = "wheels/"
MANIFEST_BYTES = 1 * MIB
CHECKSUM_BYTES = 8 * MIB
REQUIREMENTS_BYTES = 4 * MIB

_CHECKSUM = re.compile(r"([0-9a-fA-F]{64}) [ *](?:\./)*(.+)")
"""A line of sha256sum, as `find . -type f | xargs sha256sum` gives it, too; and of Windows' tools, in upper case."""


def verify(path: Path, hosts: Sequence[Host] = (), limit: int | None = None) -> Verified:
    """Check a bundle and return what it says of itself.

    Its components must be installable on each of `hosts`, and wherever the release itself says (`requires`). When no
    host is known it is what the release says, or else the machine at hand. `limit` is the most bytes that the file may
    have. Raises BundleRefused with every fault,
    OSError when the file cannot be read, or a wheel of it finds no room in the temporary folder.
    """
    if limit is not None and (found := fault_of_size(path.stat().st_size, limit)):
        raise BundleRefused([found])
    wheels = WheelReader(Limits())
    contents, manifest, faults = _examine(path, None, wheels)
    if contents.complete:
        faults += wheels.faults
    if manifest:
        faults += _requirement_faults(path, manifest, contents, wheels, hosts)
    if manifest and not faults:
        faults += _content_faults(path, manifest)
    return Verified.model_construct(**dict(_taken(contents, manifest, faults)))


def unpack(path: Path, target: Path) -> Manifest:
    """Check a bundle and put its files into the folder `target`, which appears complete or not at all.

    Its wheels are not looked into again: they were when it was published, and the installer here does.
    Raises BundleRefused with every fault, FileExistsError when the target is there already, other OSErrors when the
    disk fails or is full.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there already")
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    draft.mkdir(parents=True)
    try:
        manifest = _taken(*_examine(path, draft, None))
        _rename(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return manifest


def _content_faults(path: Path, manifest: Manifest) -> list[Fault]:
    """What drivers find wrong inside of files, of a bundle that is sound as far as all others see."""
    if not (specs := content_readers(manifest)):
        return []
    with tempfile.TemporaryDirectory(prefix="belay-verify-") as folder:
        read(path, keep={}, target=Path(folder), look=(WHEELS, _pass_by))
        return [
            fault(found.code, written(("components", position, "spec", *found.where)), found.message, found.value)
            for position, spec in specs.items()
            for found in spec.faults_in(Path(folder))
        ]


def _pass_by(_name: str, _content: IO[bytes], _digest: str) -> None:
    """Nobody but the installer looks into wheels."""


def _rename(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:  # somebody has unpacked it meanwhile
            raise FileExistsError(f"{target} is there already") from None
        raise


def _examine(
    path: Path, target: Path | None, wheels: WheelReader | None
) -> tuple[Contents, Manifest | None, list[Fault]]:
    """All that one reading of the archive shows, without its wheels' faults."""
    keep = {MANIFEST: MANIFEST_BYTES, CHECKSUMS: CHECKSUM_BYTES}
    contents = read(path, keep=keep, target=target, look=(WHEELS, wheels.look) if wheels else None)
    faults = [*contents.faults]
    manifest = None
    if contents.complete:
        faults += _checksum_faults(contents)
        manifest, more = _read_manifest(contents)
        faults += more
    return contents, manifest, faults


def _taken(contents: Contents, manifest: Manifest | None, faults: list[Fault]) -> Manifest:
    if faults or manifest is None:
        raise BundleRefused(faults, *claimed(contents.kept.get(MANIFEST)))
    return manifest


def _read_manifest(contents: Contents) -> tuple[Manifest | None, tuple[Fault, ...]]:
    if MANIFEST not in contents.digests:
        return None, (fault("missing_manifest", MANIFEST, f"the bundle holds no {MANIFEST} at its top"),)
    try:
        return manifest_of(contents.kept[MANIFEST], set(contents.digests)), ()
    except BundleRefused as refused:
        return None, refused.faults


def _checksum_faults(contents: Contents) -> list[Fault]:
    """`checksums.sha256` must name every other file, and no other, with the sha256 it has."""
    if CHECKSUMS not in contents.digests:
        return [fault("missing_checksums", CHECKSUMS, f"the bundle holds no {CHECKSUMS} at its top")]
    listed, faults = _listed(contents.kept[CHECKSUMS])
    actual = {name: digest for name, digest in contents.digests.items() if name != CHECKSUMS}
    for name in sorted(listed.keys() - actual.keys()):
        faults.append(fault("missing_file", name, f"{CHECKSUMS} names this file, but the bundle does not hold it"))
    for name in sorted(actual.keys() - listed.keys()):
        faults.append(fault("unlisted_file", name, f"{CHECKSUMS} does not name this file"))
    for name in sorted(name for name in listed.keys() & actual.keys() if listed[name] != actual[name]):
        faults.append(fault("wrong_checksum", name, f"its sha256 is not the one in {CHECKSUMS}", actual[name]))
    return faults


def _listed(content: bytes) -> tuple[dict[str, str], list[Fault]]:
    listed: dict[str, str] = {}
    faults = []
    text = content.removeprefix(BOM_UTF8).decode(errors="surrogateescape")
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        where = f"{CHECKSUMS}:{number}"
        if (match := _CHECKSUM.fullmatch(line)) is None:
            if line.strip():
                faults.append(fault("bad_checksums", where, "must be a sha256, two spaces and a name", printable(line)))
        elif match[2] in listed:
            faults.append(fault("bad_checksums", where, "names a file a second time", printable(match[2])))
        else:
            listed[match[2]] = match[1].lower()
    return listed, faults


def _requirement_faults(
    path: Path, manifest: Manifest, contents: Contents, wheels: WheelReader, hosts: Sequence[Host]
) -> list[Fault]:
    """Whether what the components require can be installed from the wheels, on every host that counts."""
    names = requirement_files(manifest)
    files = read(path, keep=dict.fromkeys(names, REQUIREMENTS_BYTES)) if names else Contents()
    faults = [found for found in files.faults if found not in contents.faults]
    places = hosts_of(manifest, hosts)
    if names:
        faults += [found for host in hosts for found in unfit(manifest.requires, host)]
    locked: list[Pin] = []
    for name in sorted(names & files.kept.keys()):
        pins, more = pins_of(name, files.kept[name])
        faults += more
        locked += pins
        if more:
            return faults  # what is missing may only follow from these
        faults += faults_of_wheels(pins, wheels.wheels, places, wheels.unsound)
    named = {found.field for found in faults}
    return faults + [found for found in faults_of_unlocked(locked, wheels.wheels) if found.field not in named]


def hosts_of(manifest: Manifest, hosts: Sequence[Host]) -> list[Host]:
    """Where a release must be installable: on the known hosts, and on what it names itself; else on this machine."""
    requires = manifest.requires
    fitting = [host for host in hosts if not list(unfit(requires, host))]
    named = named_by(requires, hosts or [this_host()])
    return [*fitting, *named] if hosts or named else [this_host()]
