"""Whether the wheels of a bundle are all that its requirements need, on each host; and if not, which wheel is why.

Pure. An installer that has no network ends at the first thing it misses; here all are found, before anybody waits.
"""

from collections.abc import Iterable, Iterator, Sequence, Set

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from shared.messages.base import Fault

from .faults import fault
from .hosts import Host
from .requirements import Pin
from .wheels import Wheel


def faults_of_wheels(
    pins: Sequence[Pin], wheels: Sequence[Wheel], hosts: Sequence[Host], unsound: Set[str] = frozenset()
) -> list[Fault]:
    """What one requirements file lacks on these hosts. The same fault on several hosts is told once, for the first.

    `unsound` are digests of wheels whose faults are told already: they are not missing, too.
    """
    found: dict[tuple[str, str, str], Fault] = {}
    for host in hosts:
        for one in _faults_on(host, pins, wheels, unsound):
            found.setdefault((one.code, one.field, str(one.value)), one)
    return list(found.values())


def faults_of_unlocked(pins: Iterable[Pin], wheels: Iterable[Wheel]) -> list[Fault]:
    """Wheels that no requirements file asks for: they would never be installed, so they lie there by mistake."""
    by_project: dict[str, list[Pin]] = {}
    for pin in pins:
        by_project.setdefault(pin.project, []).append(pin)
    return [
        fault("unlocked_wheel", w.file, "no requirements file of the bundle locks this wheel with its hash")
        for w in wheels
        if not any(w.digest in pin.hashes and pin.takes(w.version) for pin in by_project.get(w.project, ()))
    ]


def _faults_on(host: Host, pins: Sequence[Pin], wheels: Sequence[Wheel], unsound: Set[str]) -> Iterator[Fault]:
    chosen: dict[str, tuple[Pin, Wheel | None]] = {}
    for pin in pins:
        if not pin.applies(host):
            continue
        if before := chosen.get(pin.project):
            message = f"{before[0].where} and this line lock {pin.project} both, for {host}"
            yield fault("conflicting_requirements", pin.where, message, str(pin.requirement))
            continue
        usable = next((wheel for wheel in wheels if _reason(wheel, pin, host) is None), None)
        chosen[pin.project] = pin, usable
        if usable is None and not pin.hashes & unsound:
            yield from _why_none(pin, wheels, host)
    yield from _missing_dependencies(chosen, host)


def _why_none(pin: Pin, wheels: Sequence[Wheel], host: Host) -> Iterator[Fault]:
    """A fault for each wheel that might have been meant, or for the line when there is none."""
    meant = [wheel for wheel in wheels if wheel.project == pin.project or wheel.digest in pin.hashes]
    for wheel in meant:
        code, message = _reason(wheel, pin, host) or ("", "")
        yield fault(code, wheel.file, f"{message}; {pin.where} needs {pin.requirement} on {host}")
    if not meant:
        yield fault("missing_wheel", pin.where, f"no wheel under wheels/ is {pin.requirement} with one of its hashes")


def _reason(wheel: Wheel, pin: Pin, host: Host) -> tuple[str, str] | None:
    """Why the wheel cannot be what the line asks for on that host, as code and words; None = it can."""
    if wheel.project != pin.project:
        return "wrong_project", f"is a wheel of {wheel.project}"
    if not pin.takes(wheel.version):
        return "wrong_version", f"is version {wheel.version}"
    if wheel.digest not in pin.hashes:
        return "wrong_hash", "is not locked: none of the hashes is its own"
    if not wheel.tags & host.tags:
        return "wrong_platform", "is for another Python or platform"
    if not wheel.python.contains(host.python, prereleases=True):
        return "wrong_python", f"needs Python {wheel.python}"
    return None


def _missing_dependencies(chosen: dict[str, tuple[Pin, Wheel | None]], host: Host) -> Iterator[Fault]:
    """What the chosen wheels need themselves must be locked, too: an installer takes nothing without a hash."""
    todo = [(pin.project, extra) for pin, _ in chosen.values() for extra in ("", *pin.requirement.extras)]
    done = set(todo)
    while todo:
        project, extra = todo.pop()
        wheel = chosen[project][1]
        for needed in wheel.requires if wheel else ():
            if not _needed(needed, host, extra):
                continue
            pin, _ = chosen.get(canonicalize_name(needed.name), (None, None))
            if pin is None or not needed.specifier.contains(pin.version, prereleases=True):
                yield _missing(wheel, needed, pin, host)
                continue
            more = {(pin.project, e) for e in needed.extras} - done
            done |= more
            todo += more


def _needed(requirement: Requirement, host: Host, extra: str) -> bool:
    """Without an extra all that always counts; with one what counts only then."""
    always = host.satisfies(requirement.marker)
    return always if not extra else not always and host.satisfies(requirement.marker, extra)


def _missing(wheel: Wheel | None, needed: Requirement, pin: Pin | None, host: Host) -> Fault:
    locked = f"{pin.where} locks {pin.version}" if pin else "no line of the requirements file locks it"
    message = f"needs {needed.name} {needed.specifier} on {host}, but {locked}"
    return fault("missing_dependency", wheel.file if wheel else "", message, needed.name)
