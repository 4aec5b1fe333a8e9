"""Pure: which releases strategies lead sites to, as the orchestrator tells of them.

A strategy that is planned, or stands at its first stage, has no operations yet for most of its sites; so nothing else
here knows that its release will be needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.messages.strategy import StrategyDeleted, StrategyPlanned, StrategyStateChanged
from shared.messages.words import StrategyState

Told = StrategyPlanned | StrategyStateChanged | StrategyDeleted

Target = tuple[str, str, str, str, datetime]
"""Id and name of a strategy, app and version that it leads to, and until when it needs that."""

ANY = "*"
"""The version of a strategy that leads to more releases than its plan names."""
MOST_NAMED = 100
"""The targets that a plan names at most (`StrategyPlanned.targets`); of one that names so many there may be more."""

SILENT = timedelta(days=30)
"""A strategy of which nothing was told for longer needs nothing: its end may have been read by a deployer of a version
that does not care for it, and a release must not be kept for good by that."""

RESTS = frozenset({StrategyState.FAILED, StrategyState.ABORTED})
"""Such a strategy goes on only if somebody retries it, or to catch up."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What a batch of events comes to, by the id of the strategy. What is gone went first."""

    gone: set[str] = field(default_factory=set)
    planned: dict[str, list[Target]] = field(default_factory=dict)
    moved: dict[str, datetime] = field(default_factory=dict)
    """Until when what it leads to is needed now."""


def targets_of(events: Iterable[Told]) -> Targets:
    """The last word on each strategy, of events in the order in which they were told."""
    targets = Targets()
    for event in events:
        if isinstance(event, StrategyPlanned):
            targets.planned[event.strategy_id] = _led_to(event)
            targets.moved.pop(event.strategy_id, None)
        elif isinstance(event, StrategyDeleted) or event.state == StrategyState.COMPLETE:
            targets.gone.add(event.strategy_id)
            targets.planned.pop(event.strategy_id, None)
            targets.moved.pop(event.strategy_id, None)
        else:
            targets.moved[event.strategy_id] = _needed_until(event)
    return targets


def _led_to(event: StrategyPlanned) -> list[Target]:
    """Its release, or where each site has one of its own, all of them."""
    spec = event.spec
    versions = {target.version for target in event.targets} | ({spec.version} if spec.version else set())
    versions |= {ANY} if len(event.targets) >= MOST_NAMED else set()
    until = event.created_at + SILENT
    return [(event.strategy_id, spec.name, spec.app, version, until) for version in sorted(versions)]


def _needed_until(event: StrategyStateChanged) -> datetime:
    if event.state in RESTS:
        return event.catch_up_until or event.at
    return event.at + SILENT
