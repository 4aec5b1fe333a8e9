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

Target = tuple[str, str, str, str, timedelta]
"""Id and name of a strategy, app and version that it leads to, and how long after its end it catches up."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What a batch of events comes to, by the id of the strategy. What is gone went first."""

    gone: set[str] = field(default_factory=set)
    planned: dict[str, list[Target]] = field(default_factory=dict)
    moved: dict[str, tuple[str, datetime]] = field(default_factory=dict)


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
            targets.moved[event.strategy_id] = (event.state, event.at)
    return targets


def _led_to(event: StrategyPlanned) -> list[Target]:
    """Its release, or where each site has one of its own, the commonest hundred of them."""
    spec = event.spec
    versions = {target.version for target in event.targets} | ({spec.version} if spec.version else set())
    catch_up = timedelta(seconds=spec.catch_up_seconds)
    return [(event.strategy_id, spec.name, spec.app, version, catch_up) for version in sorted(versions)]
