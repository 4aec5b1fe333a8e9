"""With which versions of secrets what runs was deployed, and which of them were set again since. Pure.

Of a secret its name and version are known here, never its value.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from services.deployer.drivers import Component
from services.deployer.overrides.fitting import secrets_of
from shared.secret_references import references

Versions = tuple[tuple[str, int], ...]
"""By name, the version of each secret: as it is recorded of a component."""

NO_SECRETS: Versions = ()


class Kept(NamedTuple):
    """A secret as it is kept now: the version of its value, and since when it is that."""

    version: int
    changed_at: datetime


class Rotated(NamedTuple):
    """A secret that was set again since something was deployed with it."""

    name: str
    deployed: int
    now: int


def reaching(component: Component, connection: Mapping[str, Any]) -> set[str]:
    """The secrets that come to lie in what is deployed: those of its values, and of what its site says to it. What only
    opens the way there, such as the key of a host, may change without anything being deployed again."""
    spec = component.named or component.sealed
    named = {name for _, name in secrets_of(component.driver, spec)} if spec else set()
    if component.spec is None or not connection:
        return named
    return named | {each.name for each in references(connection) if each.sound and component.spec.reached_by(each.path)}


def versions_of(names: Iterable[str], kept: Mapping[str, Kept]) -> Versions:
    """The versions that these have now."""
    return tuple(sorted((name, kept[name].version) for name in names if name in kept))


def at_least_so_old(names: Iterable[str], kept: Mapping[str, Kept], since: datetime | None) -> Versions:
    """The versions of what somebody else may have begun since then: of one that was set meanwhile the one before, since
    nobody knows which of the two it got. It is deployed once more than it must, never once too few."""
    found = versions_of(names, kept)
    return tuple((n, v - 1 if since is None or kept[n].changed_at >= since else v) for n, v in found)


def rotated(deployed: Versions, now: Mapping[str, int]) -> tuple[Rotated, ...]:
    """Those that were set again."""
    return tuple(Rotated(n, v, now[n]) for n, v in deployed if now.get(n, v) != v)


def told(changed: Collection[Rotated]) -> str:
    """For people, in one line."""
    return "; ".join(
        f"secret '{each.name}' was set again: version {each.deployed} is deployed, and version {each.now} is there"
        for each in changed
    )


def oldest(recorded: Iterable[Versions]) -> Versions:
    """Of several together: of a secret of which there are different versions, the oldest."""
    found: dict[str, int] = {}
    for name, version in chain.from_iterable(recorded):
        found[name] = min(version, found.get(name, version))
    return tuple(sorted(found.items()))
