"""Strategies, their stages, steps and timeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.as_json import text
from services.gateway.resources.strategies import store
from services.gateway.resources.strategies.store import (
    Move,
    PlanRow,
    StagePlanRow,
    StageRow,
    StateRow,
    StepRow,
    TimelineRow,
    Why,
)
from shared.messages import strategy
from shared.messages.strategy import StepChange
from shared.wire.codec import Envelope

StageKey = tuple[str, int]


@dataclass(slots=True)
class Learned:
    """What a batch of events says in the end: one row for each strategy, stage and step, and the story between."""

    before: dict[StageKey, tuple[str, int]]
    """State and sequence of the stages before the batch: the timeline tells only of changes."""

    plans: dict[str, PlanRow] = field(default_factory=dict)
    stage_plans: dict[StageKey, StagePlanRow] = field(default_factory=dict)
    states: dict[str, StateRow] = field(default_factory=dict)
    stages: dict[StageKey, StageRow] = field(default_factory=dict)
    steps: dict[tuple[str, str], StepRow] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    timeline: list[TimelineRow] = field(default_factory=list)


async def learn_strategies(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Everything that travels under the key of a strategy."""
    moved = {(e.data.strategy_id, e.data.stage) for e in events if isinstance(e.data, strategy.StageProgressed)}
    before = await store.find_stages(tx.conn, list(moved)) if moved else {}
    await _save(tx, fold(events, before))


def fold(events: Iterable[Envelope[Any]], before: dict[StageKey, tuple[str, int]]) -> Learned:
    """Reduce a batch to what it says in the end; repeated and older events among it change nothing."""
    learned = Learned(dict(before))
    for event in events:
        FOLDS[type(event.data)](learned, event)
    return learned


async def _save(tx: LearningTransaction, learned: Learned) -> None:
    if learned.plans:
        await store.plan(tx.conn, list(learned.plans.values()), list(learned.stage_plans.values()))
    if learned.states:
        await store.move(tx.conn, list(learned.states.values()))
    if learned.stages:
        await store.move_stages(tx.conn, list(learned.stages.values()))
    if learned.steps:
        await store.move_steps(tx.conn, list(learned.steps.values()))
    if learned.deleted:
        await store.delete(tx.conn, sorted(learned.deleted))
    if learned.timeline:
        await store.add_to_timeline(tx.conn, learned.timeline)


def _planned(learned: Learned, event: Envelope[strategy.StrategyPlanned]) -> None:
    plan = event.data
    key, spec = plan.strategy_id, plan.spec.model_dump_json()
    if (seen := learned.plans.get(key)) and seen.seq > event.sequence:
        return
    excluded = text([e.model_dump() for e in plan.excluded])
    targets = text([t.model_dump() for t in plan.targets])
    numbers = (plan.excluded_count, targets, plan.created_at, event.sequence)
    learned.plans[key] = PlanRow(key, plan.spec.name, spec, excluded, *numbers)
    for s in plan.stages:
        spread = (text([share.model_dump() for share in s.spread]), s.spread_more)
        row = StagePlanRow(key, s.position, s.name, s.sites, s.max_parallel, s.soak_seconds, *spread, plan.created_at)
        learned.stage_plans[key, s.position] = row
    if plan.stages:  # one that waits for its release says so as its state
        learned.timeline.append(TimelineRow(event.id, key, event.time, "strategy", "planned", _plan_told(plan), None))


def _plan_told(plan: strategy.StrategyPlanned) -> str:
    by = f" by {plan.created_by}" if plan.created_by else ""
    left_out = f"; {plan.excluded_count} left out" if plan.excluded_count else ""
    size = f"{_counted(sum(s.sites for s in plan.stages), 'site')} in {_counted(len(plan.stages), 'stage')}"
    return f"planned{by} with {size}{left_out}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _moved(learned: Learned, event: Envelope[strategy.StrategyStateChanged]) -> None:
    s = event.data
    if (seen := learned.states.get(s.strategy_id)) and seen.seq > event.sequence:
        return
    started = s.at if s.state == "applying" else None
    if seen and seen.started_at:  # it may have begun and ended in one batch
        started = seen.started_at
    row = (s.strategy_id, s.name, s.state, s.why.model_dump(), text(s.actions), s.at, started, event.sequence)
    learned.states[s.strategy_id] = StateRow(*row)
    if s.renewed:
        return
    message = f"{s.state}: {s.why.message}" if s.why.message else s.state
    learned.timeline.append(TimelineRow(event.id, s.strategy_id, s.at, "strategy", s.why.code, message, None))


def _stage_moved(learned: Learned, event: Envelope[strategy.StageProgressed]) -> None:
    s = event.data
    key = (s.strategy_id, s.stage)
    state, sequence = learned.before.get(key, ("waiting", 0))
    if sequence > event.sequence:
        return
    learned.before[key] = (s.state, event.sequence)
    c = s.counts
    counts = (c.waiting, c.running, c.complete, c.failed, c.aborted)
    reasons = (_why(s.why), _why(s.warning))
    learned.stages[key] = StageRow(*key, s.name, s.state, *counts, s.max_parallel, *reasons, event.sequence, s.at)
    if s.state != state:
        row = TimelineRow(event.id, s.strategy_id, s.at, "stage", s.state, f"{s.name}: {s.state}", s.stage)
        learned.timeline.append(row)


def _steps_moved(learned: Learned, event: Envelope[strategy.StepsChanged]) -> None:
    key, at, sequence = event.data.strategy_id, event.data.at, event.sequence
    for s in event.data.steps:
        if (seen := learned.steps.get((key, s.site))) and seen.move.seq > sequence:
            continue
        why = s.why.model_dump_json() if s.why else None
        move = Move(key, s.stage, s.state, s.attempt, why, s.target, sequence, at)
        learned.steps[key, s.site] = StepRow(s.site, s.operation_id, move)
        if s.state == "failed":
            learned.timeline.append(_failure(event, s))


def _failure(event: Envelope[strategy.StepsChanged], step: StepChange) -> TimelineRow:
    code, message = (step.why.code, step.why.message) if step.why else ("failed", "failed")
    entry, text_ = f"{event.id}/{step.site}", f"{step.site}: {message}"
    return TimelineRow(entry, event.data.strategy_id, event.data.at, "site", code, text_, step.stage)


def _deleted(learned: Learned, event: Envelope[strategy.StrategyDeleted]) -> None:
    s = event.data
    learned.deleted.add(s.strategy_id)
    by = f" by {s.by}" if s.by else ""
    message = f"deleted{by}: {s.reason}" if s.reason else f"deleted{by}"
    learned.timeline.append(TimelineRow(event.id, s.strategy_id, s.at, "strategy", "deleted", message, None))


def _why(why: strategy.Why | None) -> Why:
    return {"code": why.code, "message": why.message} if why else None


FOLDS: dict[type[Any], Any] = {
    strategy.StrategyPlanned: _planned,
    strategy.StrategyStateChanged: _moved,
    strategy.StageProgressed: _stage_moved,
    strategy.StepsChanged: _steps_moved,
    strategy.StrategyDeleted: _deleted,
}
KINDS = tuple(FOLDS)
