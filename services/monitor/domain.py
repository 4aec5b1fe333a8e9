"""How stages go: what is known of them. Pure: events in, knowledge out; judgement.py says what it means.

Times are Unix seconds. Every fold takes absolute counts with the time they were true at and ignores what is not newer,
so that a redelivered or repeated event changes nothing.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.messages.strategy import StageProgressed, StrategyDeleted, StrategyPlanned, StrategyStateChanged
from shared.messages.words import StageState, StrategyState

ENDED = {StrategyState.COMPLETE, StrategyState.FAILED, StrategyState.ABORTED}
LOOKED_AT = {StageState.RUNNING, StageState.SOAKING}
M = TypeVar("M", bound=BaseModel)
RING = 60
"""Into how many parts the window is cut; a stage keeps at most three snapshots more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When to speak (settings.py says what each means)."""

    window_seconds: int = 300
    forecast_seconds: float = 10
    failure_level: float = 0.2
    failure_calm: float = 0.1
    failure_sample: int = 5
    eta_sample: int = 3
    silence_seconds: float = 60
    silence_pace: float = 3
    silence_first_seconds: float = 900


# -- what is known ------------------------------------------------------------------------------------------------


class Kept(BaseModel):
    """A value of a table. Unknown fields are ignored: an older replica may read what a newer one wrote."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Snapshot(NamedTuple):
    """How many sites of a stage had finished, and how many of these had failed, at a time."""

    at: float
    finished: int
    failed: int


class StageWatch(Kept):
    """A stage that runs: its last counts, and snapshots of the window before them, oldest first."""

    state: StageState
    remaining: int
    running: int
    at: float
    ring: tuple[Snapshot, ...]
    moved_at: float
    """When a site finished last, or the stage was first seen."""
    longest_gap: float = 0
    """The longest time between two finished sites so far: the stage's own pace. 0 = none finished yet."""


class StrategyWatch(Kept):
    """All that is known of a strategy, from its events alone (written only where they are consumed)."""

    strategy_id: str
    partition: int
    soaks: dict[int, int] = Field(default_factory=dict)
    stages: dict[int, StageWatch] = Field(default_factory=dict)
    done: dict[int, float] = Field(default_factory=dict)
    """Stages that ended, and when: what is told of them later is old."""
    moved_at: float = 0
    ended_at: float | None = None


class Position(Kept):
    """How far a partition was read into the tables."""

    next_offset: int
    topic_id: str = ""
    """Of the topic that was read, if Kafka told it."""


# -- learning -----------------------------------------------------------------------------------------------------


def planned(watch: StrategyWatch, event: StrategyPlanned, _: Limits) -> StrategyWatch:
    """Learn how long stages soak, which is part of when they end."""
    return changed(watch, soaks={stage.position: stage.soak_seconds for stage in event.stages if stage.soak_seconds})


def moved(watch: StrategyWatch, event: StrategyStateChanged, _: Limits) -> StrategyWatch:
    """An ended strategy has no stages to look at; one that is tried again has."""
    at = event.at.timestamp()
    if at <= watch.moved_at:
        return watch
    if event.state in ENDED:
        return _ended(watch, at)
    return changed(watch, moved_at=at, ended_at=None)


def deleted(watch: StrategyWatch, event: StrategyDeleted, _: Limits) -> StrategyWatch:
    """A strategy that was put away has ended for us."""
    return _ended(watch, event.at.timestamp()) if watch.ended_at is None else watch


def progressed(watch: StrategyWatch, event: StageProgressed, limits: Limits) -> StrategyWatch:
    """Take in the counts of a stage, unless something newer is known."""
    at, position = event.at.timestamp(), event.stage
    before = watch.stages.get(position)
    known = max(before.at if before else 0, watch.done.get(position, 0), watch.ended_at or 0)
    if at <= known:
        return watch
    others = {number: stage for number, stage in watch.stages.items() if number != position}
    if event.state not in LOOKED_AT:
        return changed(watch, stages=others, done={**watch.done, position: at})
    return changed(watch, stages={**others, position: _learned(before, event, at, limits.window_seconds)})


def _ended(watch: StrategyWatch, at: float) -> StrategyWatch:
    return changed(watch, moved_at=at, ended_at=at, stages={}, done={})


def _learned(before: StageWatch | None, event: StageProgressed, at: float, window: float) -> StageWatch:
    counts = event.counts
    now = Snapshot(at, counts.finished, counts.failed)
    known = {"state": event.state, "remaining": counts.waiting + counts.running, "running": counts.running, "at": at}
    last = before.ring[-1] if before else now
    if before is None or now.finished < last.finished or now.failed < last.failed:  # new, or failed ones tried again
        return StageWatch(**known, ring=(now,), moved_at=at)
    ring = remembered(before.ring, now, window)
    if now.finished == last.finished:
        return StageWatch(**known, ring=ring, moved_at=before.moved_at, longest_gap=before.longest_gap)
    gap = max(before.longest_gap, at - before.moved_at)
    return StageWatch(**known, ring=ring, moved_at=at, longest_gap=gap)


def remembered(ring: tuple[Snapshot, ...], now: Snapshot, window: float) -> tuple[Snapshot, ...]:
    """The ring with `now` at its end: bounded in number, and always reaching back to the edge of the window.

    Snapshots closer than a part of the window replace each other; of those before the window only the last is kept.
    """
    if len(ring) > 1 and ring[-1].at - ring[-2].at < window / RING:
        ring = ring[:-1]
    first = max((place for place, snapshot in enumerate(ring) if snapshot.at <= now.at - window), default=0)
    return (*ring[first:], now)


def changed(value: M, **changes: Any) -> M:
    """A copy with some fields changed."""
    return value.model_copy(update=changes)
