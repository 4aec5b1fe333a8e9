"""The requirements file of a process component: pinned, hashed, and satisfied by the wheels in the bundle."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement

from shared.messages.base import Fault

from .faults import fault, printable

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One line: a requirement and the sha256 of every file that may satisfy it."""

    requirement: Requirement
    hashes: frozenset[str]


def faults_of_requirements(name: str, content: bytes, wheels: Set[str]) -> list[Fault]:
    """Why the file `name` could not be installed without a network from wheels of these digests, on this machine."""
    try:
        lines = list(_logical_lines(content.decode("utf-8-sig")))
    except UnicodeDecodeError:
        return [fault("bad_requirement", name, "the requirements file is not UTF-8")]
    if not lines:
        return [fault("bad_requirement", name, "the requirements file names no package")]
    return [found for number, line in lines if (found := _fault_of_line(f"{name}:{number}", line, wheels))]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, without comments; each with the number of its first line."""
    gathered, first = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        gathered += re.sub(r"(^|\s)#.*$", "", line)
        if gathered.endswith("\\"):
            gathered = gathered[:-1] + " "
            continue
        if gathered.strip():
            yield first, gathered.strip()
        gathered, first = "", number + 1
    if gathered.strip():
        yield first, gathered.strip()


def _fault_of_line(where: str, line: str, wheels: Set[str]) -> Fault | None:
    try:
        pin = _pin(line)
    except (InvalidRequirement, ValueError) as error:
        return fault("bad_requirement", where, str(error).splitlines()[0], printable(line))
    if pin.requirement.marker and not pin.requirement.marker.evaluate():
        return None
    if not pin.hashes & wheels:
        return fault("missing_wheel", where, f"no wheel under wheels/ has one of the hashes of {pin.requirement}")
    return None


def _pin(line: str) -> Pin:
    """Raises ValueError for whatever could make an installer ask the network, or take another file than was meant."""
    if line.startswith("-"):
        raise ValueError("options are not taken: a bundle is installed from its own wheels alone")
    text, *options = re.split(r"\s+(?=--)", line)
    hashes = [match[1] for option in options if (match := _HASH.fullmatch(option.strip()))]
    if len(hashes) != len(options):
        raise ValueError("of the options only --hash=sha256:… is taken")
    requirement = Requirement(text)
    pins = list(requirement.specifier)
    if requirement.url or len(pins) != 1 or pins[0].operator != "==" or pins[0].version.endswith("*"):
        raise ValueError("must be pinned to one version with ==, and not to an address")
    if not hashes:
        raise ValueError("needs at least one --hash=sha256:…")
    return Pin(requirement, frozenset(hashes))
