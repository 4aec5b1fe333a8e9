"""Taking a bundle apart: everything it must be is checked here, and every fault is named."""

import errno
import io
import re
import shutil
import uuid
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from shared import components
from shared.components import Spec
from shared.messages.base import Fault
from shared.messages.manifest import MOST_NOTICES, Manifest, Verified

from . import starlingx
from .archive import Contents, Kept, read
from .brought import with_digests_of_files
from .claim import Claim, claim_of
from .completeness import faults_of_unlocked, faults_of_wheels
from .faults import BundleRefused, bounded, fault, fault_of_size, printable
from .hosts import Host, named_by, this_host, unfit
from .inside import Inside, Place, Told, look_inside, unheard
from .manifests import MANIFEST, claimed, faults_of_length, read_manifest, requirement_files
from .requirements import Pin, pins_of
from .signing import SIGNATURE_BYTES, SIGNATURES, Signed, read_signatures
from .stream import MIB, Limits
from .wheels import WheelReader

CHECKSUMS = "checksums.sha256"
WHEELS = "wheels/"
MANIFEST_BYTES = 1 * MIB
CHECKSUM_BYTES = 8 * MIB
REQUIREMENTS_BYTES = 4 * MIB

_CHECKSUM = re.compile(r"([0-9a-fA-F]{64}) [ *](?:\./)*(.+)")
"""A line of sha256sum, as `find . -type f | xargs sha256sum` gives it, too; and of Windows' tools, in upper case."""


@dataclass(slots=True)
class Examined:
    """What one reading of an archive shows, without what is inside of its charts, wheels and the like."""

    contents: Contents
    faults: list[Fault]
    manifest: Manifest | None = None
    specs: Mapping[int, Spec] = field(default_factory=dict)
    """By the positions of their components, also of a manifest that is refused."""
    places: Mapping[int, Place] = field(default_factory=dict)
    """Where a component says what its driver finds wrong."""
    said: Mapping[str, str] = field(default_factory=dict)
    """Where fields of the manifest stand that are judged later."""
    notices: tuple[str, ...] = ()
    named: tuple[str | None, str | None] = (None, None)
    """App and version, as far as they are known."""
    claim: Claim | None = None
    """What it says it is, also of a manifest that is refused; without its signatures."""
    signed: Signed | None = None
    """Its list of checksums with the signatures under it; None = nobody has signed it."""
    deployed: frozenset[str] | None = None
    """Of an application tarball of StarlingX the charts that it deploys."""


def verify(
    path: Path,
    hosts: Sequence[Host] = (),
    limit: int | None = None,
    app: str | None = None,
    version: str | None = None,
    told: Told = unheard,
) -> Verified:
    """Check a bundle and return what it says of itself.

    Its components must be installable on each of `hosts`, and wherever the release itself says (`requires`). When no
    host is known it is what the release says, or else the machine at hand. `limit` is the most bytes that the file may
    have. `app` and `version` name what does not say it itself: a tarball of StarlingX.
    `told` hears how far it is. Raises BundleRefused with every
    fault, OSError when the file cannot be read, or a wheel of it finds no room in the temporary folder.
    """
    if limit is not None and (found := fault_of_size(path.stat().st_size, limit)):
        raise BundleRefused([found])
    wheels = WheelReader(Limits())
    examined = _examine(path, None, wheels, app, version, told)
    contents, manifest = examined.contents, examined.manifest
    if contents.complete:
        examined.faults += wheels.faults
    if manifest and examined.deployed is None:
        examined.faults += _requirement_faults(path, manifest, examined, wheels, hosts)
    inside = Inside()
    if contents.complete:
        inside = look_inside(path, examined.specs, examined.places, examined.deployed, told)
        examined.faults += inside.faults
    taken = _taken(examined)
    notices = bounded((*examined.notices, *inside.notices), MOST_NOTICES)
    taken = with_digests_of_files(taken, contents.digests)
    seen: dict[str, Any] = {"images": inside.images, "notices": notices, "signed": examined.signed}
    return Verified.model_construct(**dict(taken), places=dict(examined.said), **seen)


def unpack(path: Path, target: Path) -> Manifest:
    """Check a bundle and put its files into the folder `target`, which appears complete or not at all.

    Its wheels and charts are not looked into again: they were when it was published, and who installs them does.
    Raises BundleRefused with every fault, FileExistsError when the target is there already, other OSErrors when the
    disk fails or is full.
    """
    with _drafted(target) as draft:
        return _taken(_examine(path, draft, None, starlingx.UNNAMED, starlingx.NO_VERSION))


def unpack_published(path: Path, target: Path) -> None:
    """Put the files of a bundle that was published into the folder `target`, which appears complete or not at all.

    What it says was judged then. Rules of today may be stricter, and must not keep a site from what it had. Raises as
    `unpack` does, for what is wrong with the archive and its checksums.
    """
    with _drafted(target) as draft:
        contents = read(path, keep=Kept(_kept, starlingx.text_files, until=MANIFEST), target=draft)
        faults = [*contents.faults]
        if contents.complete and {MANIFEST, CHECKSUMS} & contents.digests.keys():
            faults += _checksum_faults(contents)
        if faults or not contents.complete:
            raise BundleRefused(faults)


@contextmanager
def _drafted(target: Path) -> Iterator[Path]:
    if target.exists():
        raise FileExistsError(f"{target} is there already")
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    draft.mkdir(parents=True)
    try:
        yield draft
        _rename(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def signable(path: Path) -> tuple[dict[str, str], bytes, list[str]]:
    """What a signature of a bundle needs: sha256 by name, its list of checksums if it has one, and the lines under it.

    Raises BundleRefused when it cannot be read to its end, or its list does not name every other file rightly.
    """
    contents = read(path, keep={CHECKSUMS: CHECKSUM_BYTES, SIGNATURES: SIGNATURE_BYTES})
    faults = [*contents.faults, *(_checksum_faults(contents) if CHECKSUMS in contents.digests else ())]
    if faults:
        raise BundleRefused(faults)
    digests = {name: digest for name, digest in contents.digests.items() if name != SIGNATURES}
    lines = contents.kept.get(SIGNATURES, b"").decode(errors="replace").splitlines()
    return digests, contents.kept.get(CHECKSUMS, b""), lines


def _rename(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:  # somebody has unpacked it meanwhile
            raise FileExistsError(f"{target} is there already") from None
        raise


def _kept(name: str) -> int | None:
    return {MANIFEST: MANIFEST_BYTES, CHECKSUMS: CHECKSUM_BYTES, SIGNATURES: SIGNATURE_BYTES}.get(name)


def _examine(
    path: Path,
    target: Path | None,
    wheels: WheelReader | None,
    app: str | None,
    version: str | None,
    told: Told = unheard,
) -> Examined:
    """All that one reading of the archive shows, without its wheels' faults."""
    keep = Kept(_kept, starlingx.text_files, until=MANIFEST)
    size = path.stat().st_size
    looking = (WHEELS, wheels.look) if wheels else None
    contents = read(path, keep=keep, target=target, look=looking, told=lambda done: told("files", done, size))
    examined = Examined(contents, [*contents.faults], named=claimed(contents.kept.get(MANIFEST)))
    if not contents.complete:
        return examined
    _read_signatures(examined)
    if MANIFEST not in contents.digests and starlingx.is_application(contents.digests):
        _read_application(examined, app, version)
    else:
        _read_manifest(examined)
    return examined


def _read_signatures(examined: Examined) -> None:
    """What is signed is the list that names every other file: a signed application tarball has one, too."""
    contents = examined.contents
    if SIGNATURES in contents.digests:
        signatures, faults = read_signatures(contents.kept[SIGNATURES])
        examined.faults += faults
        examined.signed = Signed(contents.kept.get(CHECKSUMS, b""), signatures)


def _read_manifest(examined: Examined) -> None:
    contents = examined.contents
    examined.faults += _checksum_faults(contents)
    if MANIFEST not in contents.digests:
        examined.faults.append(fault("missing_manifest", MANIFEST, f"the bundle holds no {MANIFEST} at its top"))
        return
    reading = read_manifest(contents.kept[MANIFEST], set(contents.digests))
    examined.manifest, examined.specs, examined.said = reading.manifest, reading.specs, reading.places
    examined.claim = claim_of(reading.document.value or {}, reading.places)
    examined.places = {position: reading.place_of(position) for position in reading.specs}
    examined.faults += reading.faults


def _read_application(examined: Examined, app: str | None, version: str | None) -> None:
    contents = examined.contents
    if {CHECKSUMS, SIGNATURES} & contents.digests.keys():
        examined.faults += _checksum_faults(contents)
    texts = {name: content for name, content in contents.kept.items() if starlingx.text_files(name) is not None}
    for name in contents.passed_by:
        limit = starlingx.text_files(name)
        examined.faults.append(fault("file_too_large", name, f"what describes the release has {limit} bytes at most"))
    found = starlingx.read_application(texts, contents.sums, app, version)
    examined.manifest, examined.notices, examined.said = found.manifest, found.notices, found.places
    examined.specs = {n: components.read(c.driver, c.spec) for n, c in enumerate(found.components)}
    examined.places = {n: _file_of(str(c.spec["chart"])) for n, c in enumerate(found.components)}
    examined.deployed = frozenset(str(c.spec["chart"]) for c in found.components)
    examined.named, examined.claim = (found.app, found.version), claim_of(found.named, found.places)
    examined.faults += found.faults
    if found.manifest:
        examined.faults += faults_of_length(found.manifest, found.places["components"])


def _file_of(chart: str) -> Place:
    return lambda _: chart


def _taken(examined: Examined) -> Manifest:
    if examined.faults or examined.manifest is None:
        claim = replace(examined.claim, signed=examined.signed) if examined.claim else None
        raise BundleRefused(examined.faults, *examined.named, claim)
    return examined.manifest


def _checksum_faults(contents: Contents) -> list[Fault]:
    """`checksums.sha256` must name every other file, and no other, with the sha256 it has."""
    if CHECKSUMS not in contents.digests:
        return [fault("missing_checksums", CHECKSUMS, f"the bundle holds no {CHECKSUMS} at its top")]
    listed, faults = _listed(contents.kept[CHECKSUMS])
    actual = {name: digest for name, digest in contents.digests.items() if name not in (CHECKSUMS, SIGNATURES)}
    for name in sorted(listed.keys() - actual.keys()):
        message = f"line {listed[name].number} of {CHECKSUMS} names this file, but the bundle does not hold it"
        faults.append(fault("missing_file", name, message))
    for name in sorted(actual.keys() - listed.keys()):
        faults.append(fault("unlisted_file", name, f"{CHECKSUMS} does not name this file"))
    for name in sorted(name for name in listed.keys() & actual.keys() if listed[name].digest != actual[name]):
        message = f"its sha256 is not the one in line {listed[name].number} of {CHECKSUMS}"
        faults.append(fault("wrong_checksum", name, message, actual[name]))
    return faults


class Line(NamedTuple):
    """What a list says of a file, and where."""

    digest: str
    number: int


def _listed(content: bytes) -> tuple[dict[str, Line], list[Fault]]:
    listed: dict[str, Line] = {}
    faults = []
    text = content.removeprefix(BOM_UTF8).decode(errors="surrogateescape")
    for number, raw in enumerate(io.StringIO(text.replace("\r\n", "\n")), start=1):
        line = raw.removesuffix("\n")
        if not line:
            continue
        where = f"{CHECKSUMS}:{number}"
        if (match := _CHECKSUM.fullmatch(line)) is None:
            if line.strip():
                faults.append(fault("bad_checksums", where, "must be a sha256, two spaces and a name", printable(line)))
        elif match[2] in listed:
            faults.append(fault("bad_checksums", where, "names a file a second time", printable(match[2])))
        else:
            listed[match[2]] = Line(match[1].lower(), number)
    return listed, faults


def _requirement_faults(
    path: Path, manifest: Manifest, examined: Examined, wheels: WheelReader, hosts: Sequence[Host]
) -> list[Fault]:
    """Whether what the components require can be installed from the wheels, on every host that counts."""
    names = requirement_files(manifest)
    files = read(path, keep=dict.fromkeys(names, REQUIREMENTS_BYTES)) if names else Contents()
    faults = [found for found in files.faults if found not in examined.contents.faults]
    places = hosts_of(manifest, hosts)
    if names:
        faults += [found for host in hosts for found in unfit(manifest.requires, host, examined.said)]
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
