"""Events that have an app applied again. Pure."""

from collections.abc import Iterable, Mapping

from shared.messages.rules import Trigger
from shared.site_needs import is_so

EVENTS: Mapping[str, str] = {
    "site_online": "the site answers again",
    "maintenance_ended": "its maintenance is over",
    "alarm_cleared": "an alarm of the site was cleared",
    "facts_changed": "facts of its platform changed",
    "overrides_changed": "what people set for it changed",
    "site_registered": "the site was registered, or came into another group",
}

STARLINGX: Mapping[str, str] = {
    "host-unlock": "maintenance_ended",
    "unlock": "maintenance_ended",
    "host-availability-updated": "site_online",
    "host-reinstall": "site_online",
    "host-add": "site_registered",
    "host-update": "facts_changed",
    "kube-upgrade-complete": "facts_changed",
    "kube-upgrade": "facts_changed",
    "usm-upgrade-complete": "facts_changed",
    "platform-upgrade-complete": "facts_changed",
    "on-demand-reapply": "on_demand",
}
"""What triggers of StarlingX mean here. Others, such as host-lock, swact and runtime-apply-puppet, mean nothing: no
event of a site says so."""


def event_of(trigger: str) -> str | None:
    """Our event that a trigger names, in our words or in StarlingX's; None = there is none."""
    named = trigger if trigger in EVENTS else STARLINGX.get(trigger)
    return named if named in EVENTS else None


def triggered(triggers: Iterable[Trigger], event: str, facts: Mapping[str, str]) -> bool:
    """Whether one of them names this event, and its filters hold for the facts of the site."""
    return any(
        event_of(each.event) == event
        and all(name in facts and is_so(wanted, facts[name]) for name, wanted in each.filters.items())
        for each in triggers
    )
