"""Whether the apps that a release needs would need it in turn, so that none could ever be the first. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from shared import versions
from shared.bundle import Claim
from shared.messages.base import Fault
from shared.messages.rules import Alternatives, AnyDependency, Dependency

ORDERING = frozenset({"error", "apply"})
"""Actions by which an app must be there before the one that needs it."""


@dataclass(frozen=True, slots=True)
class Needing:
    """A release that is available, as far as others may need it and it may need others."""

    app: str
    version: str
    scheme: versions.Scheme
    depends_on: tuple[AnyDependency, ...] = ()

    def __str__(self) -> str:
        return f"{self.app} {self.version}"


Known = Mapping[str, Sequence[Needing]]
"""By app, its releases that are available."""


def needing(release: Claim) -> Needing:
    """A release that is about to be one of them."""
    return Needing(release.app, release.version, release.scheme, release.depends_on)


def orders_anything(release: Needing) -> bool:
    """Whether it can be part of a cycle at all."""
    return any(True for one in release.depends_on for _ in _options(one))


def fault_of_cycle(release: Needing, others: Known, place: str = "depends_on") -> Fault | None:
    """Why a release cannot be published beside the others: the way from it back to itself.

    Of each app that is needed the newest release in the range counts, which is what would be brought there; of
    alternatives one that does not lead back is enough. `place`: file and line that say what it needs.
    """
    mine = [other for other in others.get(release.app, ()) if other.version != release.version]
    way = _Search({**others, release.app: [*mine, release]}, release).way()
    if way is None:
        return None
    message = f"these apps need each other, so none could be the first: {' needs '.join(map(str, way))}"
    return Fault(code="dependency_cycle", field=place, message=message, value=[one.app for one in way])


class _Search:
    def __init__(self, known: Known, start: Needing) -> None:
        self._known = known
        self._start = start
        self._harmless: set[Needing] = set()

    def way(self) -> tuple[Needing, ...] | None:
        return self._from(self._start, (self._start,))

    def _from(self, release: Needing, path: tuple[Needing, ...]) -> tuple[Needing, ...] | None:
        """The way back to the start, when one of the needs of a release can be met by nothing else."""
        if release in self._harmless:
            return None
        for one in release.depends_on:
            ways = [self._through(option, path) for option in _options(one)]
            if ways and all(ways):
                return ways[0]
        self._harmless.add(release)
        return None

    def _through(self, option: Dependency, path: tuple[Needing, ...]) -> tuple[Needing, ...] | None:
        target = newest(self._known.get(option.app, ()), option.versions)
        if target is None:
            return None
        if target == self._start:
            return (*path, target)
        return None if target in path else self._from(target, (*path, target))


def _options(one: AnyDependency) -> Iterator[Dependency]:
    """What meets a need: one app, or any of several; none where it only warns."""
    found = one.any_of if isinstance(one, Alternatives) else (one,)
    if all(option.action in ORDERING for option in found):
        yield from found


def newest(releases: Sequence[Needing], wanted: str | None) -> Needing | None:
    """The newest of an app's releases that lies in a range."""
    fitting = [r for r in releases if wanted is None or versions.may_upgrade(r.scheme, (wanted,), r.version)]
    readable = [r for r in fitting if versions.is_valid_version(r.scheme, r.version)]
    return max(readable, key=cmp_to_key(_compared), default=None)


def _compared(one: Needing, other: Needing) -> int:
    first: Any
    first, second = (versions.sort_key(r.scheme, r.version) for r in (one, other))
    return int(first > second) - int(first < second)
