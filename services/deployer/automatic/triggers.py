"""Which events have an app applied again: those that its triggers name, with all that their filters ask for. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.messages.base import Cause
from shared.messages.rules import Trigger
from shared.messages.triggers import EVENTS, about, implies, meant_by
from shared.site_needs import is_so

Fields = Mapping[str, Sequence[str]]
"""What is known under each name; of several one that is as it should be will do."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event of a site, as it is kept until its turn comes."""

    code: str
    message: str
    carries: Fields = field(default_factory=dict)

    @property
    def cause(self) -> Cause:
        """As it is told."""
        return Cause(code=self.code, message=self.message)

    @staticmethod
    def of(stored: Mapping[str, Any]) -> "Occurrence":
        """As it was stored."""
        return Occurrence(stored["code"], stored["message"], stored.get("carries", {}))

    def stored(self) -> dict[str, Any]:
        """As it is stored."""
        return {"code": self.code, "message": self.message, "carries": dict(self.carries)}


def occurred(event: str, **carries: Sequence[str]) -> Occurrence:
    """One of EVENTS, with what it says."""
    told = ", ".join(value for values in carries.values() for value in values)
    message = f"{EVENTS[event].message}: {told}" if told else EVENTS[event].message
    return Occurrence(event, message[:1_000], {name: list(values) for name, values in carries.items()})


def fields_of(site: str, group: str | None, labels: Mapping[str, str], facts: Mapping[str, str]) -> Fields:
    """What filters may ask of every event: facts of the site, its labels, its group, itself."""
    own = {"site": site, **({"group": group} if group else {})}
    named = {**facts, **{f"label:{name}": value for name, value in labels.items()}, **own}
    return {name: [value] for name, value in named.items()}


def triggered(triggers: Iterable[Trigger], occurrence: Occurrence, site: Fields) -> bool:
    """Whether one of them names this event, and its filters hold for what it says and for the site. One that was told
    from outside has the name that it has there."""
    said = {**site, **occurrence.carries}
    return any(_goes_off(each, occurrence, said) for each in triggers)


def _goes_off(trigger: Trigger, occurrence: Occurrence, said: Fields) -> bool:
    if trigger.event == occurrence.code:
        return all(_is_said(name, wanted, said) for name, wanted in trigger.filters.items())
    return (
        meant_by(trigger.event) == occurrence.code
        and _is_about(trigger, occurrence)
        and all(
            implies(trigger.event, name, wanted) or _is_said(name, wanted, said)
            for name, wanted in trigger.filters.items()
        )
    )


def _is_about(trigger: Trigger, occurrence: Occurrence) -> bool:
    facts = about(trigger.event)
    return not facts or not set(facts).isdisjoint(occurrence.carries.get("fact", ()))


def _is_said(name: str, wanted: str, said: Fields) -> bool:
    return any(is_so(wanted, found) for found in said.get(name, ()))
