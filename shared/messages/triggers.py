"""Events after which an app may be applied again: what they are, what filters may ask of them, and what StarlingX calls
them. Pure.

Filters may ask of each event for `site`, `group`, `label:NAME` (as the site has them when its turn comes) and any fact
of the site by its name; and for what the event itself carries.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Happening:
    """What happened to a site when an event of this name is noted."""

    message: str
    carries: tuple[str, ...] = ()
    """What it says beside which site it is."""


EVENTS: Mapping[str, Happening] = {
    "site_online": Happening("the site answers again"),
    "maintenance_ended": Happening("its maintenance is over"),
    "alarm_cleared": Happening("an alarm of the site was cleared", ("alarm",)),
    "facts_changed": Happening("facts of its platform changed", ("fact",)),
    "overrides_changed": Happening("what people set for it changed", ("level", "component")),
    "site_registered": Happening("the site was registered, or came into another group"),
}

ON_DEMAND = "on_demand"
"""Somebody asks for it, whatever the triggers say."""

STARLINGX: Mapping[str, str | None] = {
    "unlock": "maintenance_ended",
    "force-unlock": "maintenance_ended",
    "host-unlock": "maintenance_ended",
    "host-availability-updated": "site_online",
    "reinstall": "site_online",
    "host-reinstall": "site_online",
    "host-add": "site_registered",
    "host-update": "facts_changed",
    "system-modify": "facts_changed",
    "kube-upgrade": "facts_changed",
    "kube-upgrade-complete": "facts_changed",
    "usm-upgrade-complete": "facts_changed",
    "platform-upgrade-complete": "facts_changed",
    "on-demand-reapply": ON_DEMAND,
    "lock": None,
    "force-lock": None,
    "host-lock": None,
    "swact": None,
    "host-swact": None,
    "force-swact": None,
    "detected-swact": None,
    "host-delete": None,
    "runtime-apply-puppet": None,
}
"""What triggers of StarlingX mean here. None: no event of a site says so, only who tells it at the door of sysinv."""

CHANGED: Mapping[str, tuple[str, ...]] = {
    "kube-upgrade": ("kubernetes",),
    "kube-upgrade-complete": ("kubernetes",),
    "platform-upgrade-complete": ("platform_release",),
    "usm-upgrade-complete": ("platform_release", "patches"),
}
"""Of events of StarlingX that are `facts_changed` the facts that they are about: one of these must have changed."""

_OF_A_HOST = {"personality": frozenset({"controller"})}
_UP = {"availability": frozenset({"services-enabled", "available", "online"})}
IMPLIED: Mapping[str, Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("unlock", "force-unlock", "host-unlock"), _OF_A_HOST),
    **dict.fromkeys(("reinstall", "host-reinstall", "host-add"), _OF_A_HOST),
    "host-availability-updated": {**_OF_A_HOST, **_UP},
}
"""Fields of StarlingX's events whose value follows from what ours mean: a site that answers has its services enabled,
and what happens to a whole site happens to its controllers, which each site has. Other hosts are not told apart."""

CARRIED = frozenset(name for happening in EVENTS.values() for name in happening.carries)


def known() -> str:
    """The names that a trigger may have, in words."""
    return f"{', '.join(EVENTS)}, or one of StarlingX: {', '.join(STARLINGX)}"


def meant_by(name: str) -> str | None:
    """Our event that a trigger names, in our words or in StarlingX's; None = there is none."""
    event = name if name in EVENTS else STARLINGX.get(name)
    return event if event in EVENTS else None


def about(name: str) -> tuple[str, ...]:
    """The facts of which one must have changed for the event that a trigger names; empty = any, or none."""
    return CHANGED.get(name, ())


def implies(name: str, field: str, wanted: str) -> bool:
    """Whether a filter holds already by what the event of this name means here."""
    return wanted in IMPLIED.get(name, {}).get(field, ())


def of_a_fact(name: str, filters: Mapping[str, str]) -> Iterator[str]:
    """Filters of an event of StarlingX that hold only where a fact of the site has that name: our events say no such
    thing."""
    event = meant_by(name)
    own = {"site", "group", *(EVENTS[event].carries if event else ())}
    for field, wanted in filters.items():
        if event and field not in own and not field.startswith("label:") and not implies(name, field, wanted):
            yield field


def is_known(name: str) -> bool:
    """Whether it is the name of a trigger at all."""
    return name in EVENTS or name in STARLINGX


def asked_of(name: str) -> str:
    """What filters may ask of the event that a trigger names, in words."""
    event = meant_by(name)
    return ", ".join(("site", "group", "label:NAME", *(EVENTS[event].carries if event else ()), "facts of the site"))


def not_carried(name: str, filters: Iterable[str]) -> Iterator[str]:
    """Filters that never hold, since it is other events that say such a thing; any other name is that of a fact."""
    event = meant_by(name)
    if event is not None:
        yield from (each for each in filters if each in CARRIED and each not in EVENTS[event].carries)
