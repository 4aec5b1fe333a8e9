"""What installed distributions register with us: entry points by group, Belay's own among them.

Read once by whoever starts; a distribution that is installed later counts from the next start.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from shared.core.errors import BelayError


class BadEntryPoint(BelayError):
    """What a distribution registers cannot be used; the message names every such entry point, and why."""


def registered(group: str) -> dict[str, Any]:
    """What is registered under a group, by name, imported. Raises BadEntryPoint with every fault."""
    found: dict[str, EntryPoint] = {}
    faults: list[str] = []
    for point in entry_points(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            faults.append(f"{_named(point)} and {_named(other)} have one name; remove one of the distributions")
    if not found:
        faults.append(f"nothing is registered under {group}: install Belay itself again (`make setup`, or pip)")
    loaded: dict[str, Any] = {}
    for name, point in sorted(found.items()):
        try:
            loaded[name] = point.load()
        except Exception as error:  # noqa: BLE001 - whatever a foreign module raises, all of it is told at once
            faults.append(f"{_named(point)} cannot be imported: {error!r}")
    if faults:
        raise BadEntryPoint("; ".join(faults))
    return loaded


def _named(point: EntryPoint) -> str:
    distribution = point.dist.name if point.dist else "an unknown distribution"
    return f"{point.group} {point.name} = {point.value} of {distribution}"
