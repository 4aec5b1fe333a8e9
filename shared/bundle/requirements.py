"""The requirements file of a process component: every line pinned and hashed, so that nothing else can be installed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from shared.messages.base import Fault

from .faults import fault, printable
from .hosts import Host

LINE_CHARACTERS = 20_000
"""Of a line with its continuations: hundreds of hashes."""

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One line: a requirement and the sha256 of every file that may satisfy it."""

    where: str
    """The file and the number of the line."""
    requirement: Requirement
    version: Version
    hashes: frozenset[str]
    text: str
    """As an installer takes it, without its marker."""

    @property
    def project(self) -> str:
        """The name in its canonical form."""
        return canonicalize_name(self.requirement.name)

    def applies(self, host: Host) -> bool:
        """Whether it is installed there at all."""
        return host.satisfies(self.requirement.marker)

    def takes(self, version: Version) -> bool:
        """Whether it is this version that is locked: 1.0 also takes 1.0+cpu, as installers do (PEP 440)."""
        return self.requirement.specifier.contains(version, prereleases=True)


def pins_of(name: str, content: bytes) -> tuple[list[Pin], list[Fault]]:
    """The lines of the requirements file `name`, and why some of them could not be installed without a network."""
    try:
        lines = list(_logical_lines(content.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        above = content.count(b"\n", 0, error.start)
        return [], [fault("bad_requirement", f"{name}:{above + 1}", "the requirements file is not UTF-8")]
    if not lines:
        return [], [fault("bad_requirement", f"{name}:1", "the requirements file names no package")]
    pins, faults = [], []
    for number, line in lines:
        try:
            pins.append(_pin(f"{name}:{number}", line))
        except (InvalidRequirement, ValueError) as error:
            faults.append(fault("bad_requirement", f"{name}:{number}", str(error).splitlines()[0], printable(line)))
        except RecursionError:
            message = "its marker is nested too deep"
            faults.append(fault("bad_requirement", f"{name}:{number}", message, printable(line)))
    return pins, faults


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, without comments; each with the number of its first line."""
    gathered: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(), start=1):
        bare = re.sub(r"(^|\s)#.*$", "", line)
        gathered.append(bare.removesuffix("\\"))
        if bare.endswith("\\"):
            continue
        if whole := " ".join(gathered).strip():
            yield first, whole
        gathered, first = [], number + 1
    if whole := " ".join(gathered).strip():
        yield first, whole


def _pin(where: str, line: str) -> Pin:
    """Raises ValueError for whatever could make an installer ask the network, or take another file than was meant."""
    if line.startswith("-"):
        raise ValueError("options are not taken: a bundle is installed from its own wheels alone")
    if len(line) > LINE_CHARACTERS:
        raise ValueError(f"has {len(line)} characters; at most {LINE_CHARACTERS} are taken")
    text, *options = re.split(r"(?<!\s)\s+(?=--)", line)
    hashes = [match[1] for option in options if (match := _HASH.fullmatch(option.strip()))]
    if len(hashes) != len(options):
        raise ValueError("of the options only --hash=sha256:… is taken")
    requirement = Requirement(text)
    pins = list(requirement.specifier)
    if requirement.url or len(pins) != 1 or pins[0].operator != "==" or pins[0].version.endswith("*"):
        raise ValueError("must be pinned to one version with ==, and not to an address")
    if not hashes:
        raise ValueError("needs at least one --hash=sha256:…")
    bare = text.partition(";")[0].strip()
    return Pin(where, requirement, Version(pins[0].version), frozenset(hashes), " ".join([bare, *options]))
