"""Making a bundle from a folder: the same folder gives the same bytes, whoever builds it and whenever."""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shared.downloads import surroundings
from shared.downloads.failure import Failure, cause_in
from shared.messages.base import Fault
from shared.messages.manifest import Manifest

from .archive import digest_of
from .faults import BundleRefused, fault, printable
from .hosts import Host
from .manifests import MANIFEST, manifest_of, requirement_files
from .names import Tree, fault_of_name
from .reading import CHECKSUMS, WHEELS, hosts_of, verify
from .requirements import Pin, pins_of


@dataclass(frozen=True, slots=True)
class Built:
    """A bundle that was made and verified; `size` in bytes."""

    path: Path
    sha256: str
    size: int
    manifest: Manifest


def build(folder: Path, out: Path, home: Path, limit: int | None = None) -> Built:
    """Make the bundle of a folder that holds a `bundle.yaml`, and verify it.

    `out` is the file to write, or a folder in which it gets the name `<app>-<version>.tar.gz`. The wheels that
    requirements files lock, for the hosts that the manifest `requires` or else for this machine, are downloaded once
    and kept under `home`. Hidden files are left out; links are followed. Raises BundleRefused with every fault of the
    folder, or that the bundle has more than `limit` bytes; OSError when a file cannot be read or written.
    """
    files = _files(folder)
    manifest = manifest_of(files[MANIFEST].read_bytes(), set(files))
    files |= _wheels_of(manifest, files, home / "wheels")
    if out.is_dir():
        out = out / f"{manifest.app}-{manifest.version}.tar.gz"
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        _write(files, draft)
        verify(draft, limit=limit)
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    return Built(out, digest_of(out), out.stat().st_size, manifest)


def _files(folder: Path) -> dict[str, Path]:
    """Every file to pack, by name. Raises BundleRefused when one may not be packed, or bundle.yaml is missing."""
    files: dict[str, Path] = {}
    faults: list[Fault] = []
    tree = Tree()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name == CHECKSUMS or name.startswith(WHEELS) or any(part.startswith(".") for part in Path(name).parts):
            continue
        if found := (fault_of_name(name) or tree.add_file(name)) if path.is_file() else _fault_of_other(path, name):
            faults.append(found)
        elif path.is_file():
            files[name] = path
    if MANIFEST not in files:
        faults.append(fault("missing_manifest", MANIFEST, f"the folder {folder} holds no {MANIFEST}"))
    if faults:
        raise BundleRefused(faults)
    return files


def _fault_of_other(path: Path, name: str) -> Fault | None:
    if path.is_dir() and not path.is_symlink():
        return None
    return fault("not_a_file", name, "only files, folders and links to files can be packed")


def _wheels_of(manifest: Manifest, files: Mapping[str, Path], cache: Path) -> dict[str, Path]:
    """The wheels to pack. Raises BundleRefused with the faults of every requirements file, and of every host."""
    found: dict[str, Path] = {}
    faults: list[Fault] = []
    hosts = hosts_of(manifest, ())
    for lock in sorted(requirement_files(manifest)):
        pins, wrong = pins_of(lock, files[lock].read_bytes())
        faults += wrong
        for host in hosts if not wrong else ():
            try:
                found |= {WHEELS + wheel.name: wheel for wheel in _wheels(lock, pins, host, cache)}
            except BundleRefused as refused:
                faults += refused.faults
    if faults:
        raise BundleRefused(faults, manifest.app, manifest.version)
    return found


def _wheels(lock: str, pins: Sequence[Pin], host: Host, cache: Path) -> list[Path]:
    """The wheels that a lock names for a host, from the cache or else downloaded and checked by their hashes.

    The name in the cache holds all that the choice of wheels hangs on. Raises BundleRefused when pip cannot get them.
    """
    lines = "".join(f"{pin.text}\n" for pin in pins if pin.applies(host))
    if not lines:
        return []
    facts = "\n".join([lines, host.environment["python_full_version"], *host.abis, *host.platforms])
    place = cache / hashlib.sha256(facts.encode()).hexdigest()[:32]
    if not place.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".draft-") as draft:
            (Path(draft) / "requirements.txt").write_text(lines)
            _download(lock, host, Path(draft))
            _take_place(Path(draft) / "wheels", place)
    return sorted(place.glob("*.whl"))


def _download(lock: str, host: Host, draft: Path) -> None:
    """pip evaluates markers for the Python that it runs on, so the lines are those that apply to the host already."""
    options = ("--require-hashes", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet")
    files = ("-r", str(draft / "requirements.txt"), "-d", str(draft / "wheels"))
    command = [sys.executable, "-m", "pip", "download", *options, *_elsewhere(host), *files]
    environment = surroundings.for_pip(os.environ)
    done = subprocess.run(  # noqa: S603 - no shell, our own words
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        source, cause = environment.get("PIP_INDEX_URL", "pip's index"), printable(cause_in(done.stderr))
        failure = Failure(f"the wheels for {host}", cause, source, "PIP_INDEX_URL")
        raise BundleRefused([fault("wheels_unavailable", lock, " · ".join(failure.lines()))])


def _elsewhere(host: Host) -> list[str]:
    """pip's words for a host other than this machine."""
    if not host.declared:
        return []
    chosen = ["--python-version", host.environment["python_version"], "--implementation", "cp"]
    for abi in (*host.abis, "abi3", "none"):
        chosen += ["--abi", abi]
    for tag in host.platforms:
        chosen += ["--platform", tag]
    return chosen


def _take_place(draft: Path, place: Path) -> None:
    try:
        draft.rename(place)
    except OSError:
        if not place.is_dir():  # else another build was faster, with the same wheels
            raise


def _write(files: Mapping[str, Path], out: Path) -> None:
    checksums = "".join(f"{digest_of(path)}  {name}\n" for name, path in sorted(files.items())).encode()
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        out.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        _add(archive, CHECKSUMS, len(checksums), io.BytesIO(checksums))
        for name in sorted(files, key=lambda name: (name != MANIFEST, name)):
            with files[name].open("rb") as file:
                _add(archive, name, os.fstat(file.fileno()).st_size, file)


def _add(archive: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    """TarInfo's own defaults are what we want: time, owner and group 0, mode 0644."""
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, content)
