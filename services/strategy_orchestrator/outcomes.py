"""Handlers for what the deployer says: operations begin, end, or are refused; and what follows for their strategies."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

from services.strategy_orchestrator import store
from services.strategy_orchestrator.conductor import UNPARK, Conductor, Score, step_of
from services.strategy_orchestrator.settings import Knobs
from services.strategy_orchestrator.store import Row
from shared.codec import Envelope
from shared.ledger import Timer, Turn
from shared.messages.deployer import (
    CommandAccepted,
    CommandRejected,
    OperationFailed,
    OperationSucceeded,
    RequestOperation,
)
from shared.messages.strategy import SiteState
from shared.messages.words import StepState

Finished = OperationSucceeded | OperationFailed

SITE_BUSY = "site_busy"
LAGGING = frozenset({"unknown_site", "unknown_app", "unknown_release", "site_held"})
"""Refusals of what our own rows allow: the deployer reads sites, releases and holds from other topics than commands."""


async def operations_began(turn: Turn, batch: Sequence[Envelope[CommandAccepted]]) -> None:
    """Note single operations, so that their sites count as busy. Those of strategies are known from their steps."""
    answers = (envelope.data for envelope in batch)
    single = [
        (answer.about, answer.command_id)
        for answer in answers
        if answer.command_type == RequestOperation.TYPE
        and "plan" not in answer.result  # a preview
        and step_of(answer.command_id) is None
    ]
    if single:
        await store.begin_operations(turn.conn, single)


async def operations_finished(turn: Turn, batch: Sequence[Envelope[Finished]]) -> None:
    """End steps and single operations, note what runs on their sites, and let their strategies go on.

    Only an operation that was running here counts: its end may be told twice, and then moves nothing.
    """
    conductor = Conductor(turn)
    events = {envelope.data.operation_id: envelope.data for envelope in batch}
    ends = {operation: step for operation in events if (step := step_of(operation))}
    moved = await _end_steps(turn, conductor, events, ends)
    freed = await _end_singles(turn, conductor, [e for e in events.values() if e.operation_id not in ends])
    await _note_deployments(turn, [events[operation] for operation in (*moved, *freed)])
    await conductor.finish()


async def _end_steps(
    turn: Turn, conductor: Conductor, events: dict[str, Finished], ends: dict[str, tuple[str, int, int]]
) -> list[str]:
    """End the running steps of these operations; returns the operations that ended one."""
    if not ends:
        return []
    await conductor.load(strategy_id for strategy_id, _, _ in ends.values())
    rows = await store.finish_steps(turn.conn, [(*step, *_verdict(events[op])) for op, step in ends.items()])
    by_step = {step: operation for operation, step in ends.items()}
    await _recount(conductor, rows, {"running": -1})
    return [by_step[row["strategy_id"], row["position"], row["attempt"]] for row in rows]


def _verdict(event: Finished) -> tuple[str, str | None, str | None]:
    if isinstance(event, OperationSucceeded):
        return StepState.COMPLETE, None, None
    back = f"; back on {event.version}" if event.recovered and event.version else ""
    lost = "" if event.recovered else "; the site could not be recovered"
    return StepState.FAILED, event.cause.code, f"{event.cause.message}{back}{lost}"[:1_000]


async def _end_singles(turn: Turn, conductor: Conductor, events: Sequence[Finished]) -> list[str]:
    """End single operations; a step that waited for the site may start. Returns the operations that were known."""
    if not events:
        return []
    rows = await store.end_operations(turn.conn, [(event.site, event.operation_id) for event in events])
    waiting = [(row["held_by"], row["held_position"]) for row in rows if row["held_by"]]
    if waiting:
        await conductor.load(strategy_id for strategy_id, _ in waiting)
        await _reopen(conductor, await store.unpark_steps(turn.conn, waiting))
    return [row["operation_id"] for row in rows]


async def _note_deployments(turn: Turn, events: Sequence[Finished]) -> None:
    if not events:
        return
    rows = [(e.site, e.app, e.version, e.status, e.operation_id) for e in events]
    last = {(row[0], row[1]): row for row in rows}  # one upsert may not touch a row twice
    sequences = await store.put_deployments(turn.conn, list(last.values()))
    for event in events:
        state = SiteState.model_construct(
            site=event.site,
            app=event.app,
            version=event.version,
            status=event.status,
            operation_id=event.operation_id,
            strategy_id=event.strategy_id,
            at=turn.now,
        )
        turn.emit(state, sequence=sequences.get(event.site, 0), correlation_id=event.strategy_id or event.operation_id)


async def operations_refused(knobs: Knobs, turn: Turn, batch: Sequence[Envelope[CommandRejected]]) -> None:
    """A step whose site cannot change now waits without a slot; one that is refused for another reason has failed."""
    refusals = [(step, e.data) for e in batch if (step := step_of(e.data.command_id))]
    if not refusals:
        return
    conductor = Conductor(turn)
    await conductor.load(step[0] for step, _ in refusals)
    again = {step for step, r in refusals if _may_try_again(r.code, step[2], knobs.lag_attempts)}
    later = [(*step, r.code, _message(r)) for step, r in refusals if step in again]
    failed = [(*step, StepState.FAILED.value, r.code, _message(r)) for step, r in refusals if step not in again]
    if later:
        await _recount(conductor, await store.park_steps(turn.conn, later), {"running": -1, "waiting": 1, "parked": 1})
        for strategy_id in {step[0] for step in later if step[3] != SITE_BUSY}:
            turn.set_timer(UNPARK, strategy_id, turn.now + timedelta(seconds=knobs.lag_seconds))
    if failed:
        await _recount(conductor, await store.finish_steps(turn.conn, failed), {"running": -1})
    await conductor.finish()


def _may_try_again(code: str, attempt: int, most: int) -> bool:
    """Busy sites become free. What we know and the deployer does not yet, it will have read in a moment."""
    return code == SITE_BUSY or (code in LAGGING and attempt < most)


async def unpark(turn: Turn, timers: Sequence[Timer]) -> None:
    """Steps that the deployer was not ready for try again."""
    conductor = Conductor(turn)
    ids = [timer.key for timer in timers]
    await conductor.load(ids)
    await _reopen(conductor, await store.unpark_lagging(turn.conn, ids))
    await conductor.finish()


def _message(refusal: CommandRejected) -> str:
    return "; ".join(fault.message for fault in refusal.faults)[:1_000]


async def _reopen(conductor: Conductor, rows: Sequence[Row]) -> None:
    """Steps that were parked may start: the next look for waiting steps begins no later than at them."""
    scores = await _recount(conductor, rows, {"parked": -1})
    for row in rows:
        cursors = scores[row["strategy_id"]].cursors
        cursors[row["stage"]] = min(cursors[row["stage"]], row["position"])


async def _recount(conductor: Conductor, rows: Iterable[Row], deltas: dict[str, int]) -> dict[str, Score]:
    """Fold steps that moved into the counts of their stages: one change a stage, whatever the number of steps.

    `deltas` hold for each step; a step that left `running` for another state than waiting counts there as well.
    """
    rows = list(rows)
    scores = {score.now.id: score for score in await conductor.load({row["strategy_id"] for row in rows})}
    sums: dict[tuple[str, int], Counter[str]] = {}
    for row in rows:
        counter = sums.setdefault((row["strategy_id"], row["stage"]), Counter())
        counter.update(deltas)
        if row["state"] != StepState.WAITING:
            counter[row["state"]] += 1
        scores[row["strategy_id"]].note([row])
    for (strategy_id, stage), counter in sums.items():
        scores[strategy_id].recount(stage, **counter)
    return scores
