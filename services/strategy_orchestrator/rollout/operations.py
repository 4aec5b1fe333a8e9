"""Handlers for what the deployer says: operations begin, end, or are refused; and what follows for their strategies."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from operator import attrgetter

from services.strategy_orchestrator import store
from services.strategy_orchestrator.rollout.operation_ends import End, Finished, ends_of
from services.strategy_orchestrator.rollout.refusals import Outcome, meaning_of
from services.strategy_orchestrator.rollout.unit_of_work import UNPARK, Conductor, Score, batch_of, step_of
from services.strategy_orchestrator.rollout.watching import cancels_refused
from services.strategy_orchestrator.settings import Knobs
from services.strategy_orchestrator.store.row import Row
from services.strategy_orchestrator.store.steps import StepEnd
from shared.core.transaction import Timer, Transaction
from shared.messages.base import Fault
from shared.messages.deployer import (
    CancelOperation,
    CommandAccepted,
    CommandRejected,
    OperationFailed,
    OperationsTaken,
    RequestOperation,
    RequestOperations,
)
from shared.messages.strategy import SiteState
from shared.messages.words import StepState
from shared.wire.codec import Envelope

NTH = attrgetter("nth")
Step = tuple[str, int, int]
"""Strategy id, position and attempt."""


async def operations_began(knobs: Knobs, tx: Transaction, batch: Sequence[Envelope[CommandAccepted]]) -> None:
    """Note single operations, so that their sites count as busy; hear which of a strategy's may not begin."""
    answers = [envelope.data for envelope in batch]
    single = [
        (answer.about, answer.command_id)
        for answer in answers
        if answer.command_type == RequestOperation.TYPE and "plan" not in answer.result  # a preview
    ]
    if single:
        await store.deployments.begin_operations(tx.conn, single)
    taken = [OperationsTaken.model_validate(a.result) for a in answers if a.command_type == RequestOperations.TYPE]
    refused = [(step, r.faults) for t in taken for r in t.refused if (step := step_of(r.operation_id))]
    await _refuse(knobs, tx, refused)


async def requests_refused(knobs: Knobs, tx: Transaction, batch: Sequence[Envelope[CommandRejected]]) -> None:
    """A strategy's command was refused as a whole: that is the answer to each of its operations."""
    await cancels_refused(tx, [e.data for e in batch if e.data.command_type == CancelOperation.TYPE])
    asked = (e.data for e in batch if e.data.command_type == RequestOperations.TYPE)  # ids of others may look alike
    refusals = {name: answer.faults for answer in asked if (name := batch_of(answer.command_id))}
    if refusals:
        rows = await store.steps.steps_of_batches(tx.conn, list(refusals))
        steps = [((r["strategy_id"], r["position"], r["attempt"]), (r["strategy_id"], r["batch"])) for r in rows]
        await _refuse(knobs, tx, [(step, refusals[name]) for step, name in steps])


async def operations_finished(tx: Transaction, batch: Sequence[Envelope[Finished]]) -> None:
    """End steps and single operations, note what runs on their sites, and let their strategies go on.

    Only an operation that was running here counts: its end may be told twice, and then moves nothing.
    """
    conductor = Conductor(tx)
    ends = {end.operation_id: end for envelope in batch for end in ends_of(envelope.data)}
    steps = {o: step for o, end in ends.items() if end.strategy_id and (step := step_of(o))}
    moved = await _end_steps(tx, conductor, ends, steps)
    freed = await _end_singles(tx, conductor, [end for o, end in ends.items() if o not in steps])
    await _note_deployments(tx, [ends[operation] for operation in (*moved, *freed)])
    await conductor.finish()


async def _end_steps(tx: Transaction, conductor: Conductor, ends: dict[str, End], steps: dict[str, Step]) -> list[str]:
    """End the running steps of these operations; returns the operations that ended one."""
    if not steps:
        return []
    await conductor.load(strategy_id for strategy_id, _, _ in steps.values())
    rows = await store.steps.finish_steps(tx.conn, [_step_end(step, ends[op]) for op, step in steps.items()])
    by_step = {step: operation for operation, step in steps.items()}
    conductor.leave(rows)
    await _recount(conductor, rows, {"running": -1})
    return [by_step[row["strategy_id"], row["position"], row["attempt"]] for row in rows]


def _step_end(step: Step, end: End) -> StepEnd:
    return StepEnd(*step, *_reply(end.failed), end.before, end.changed)


def _reply(failed: OperationFailed | None) -> tuple[str, str | None, str | None]:
    if failed is None:
        return StepState.COMPLETE, None, None
    back = f"; back on {failed.version}" if failed.recovered and failed.version else ""
    lost = "" if failed.recovered else "; the site could not be recovered"
    return StepState.FAILED, failed.cause.code, f"{failed.cause.message}{back}{lost}"[:1_000]


async def _end_singles(tx: Transaction, conductor: Conductor, ends: Sequence[End]) -> list[str]:
    """End single operations; a step that waited for the site may start. Returns the operations that were known."""
    if not ends:
        return []
    rows = await store.deployments.end_operations(tx.conn, [(end.site, end.operation_id) for end in ends])
    waiting = [(row["held_by"], row["held_position"]) for row in rows if row["held_by"]]
    if waiting:
        await conductor.load(strategy_id for strategy_id, _ in waiting)
        await _reopen(conductor, await store.steps.unpark_steps(tx.conn, waiting))
    return [row["operation_id"] for row in rows]


async def _note_deployments(tx: Transaction, ends: Sequence[End]) -> None:
    if not ends:
        return
    last = {(end.site, end.app): end for end in sorted(ends, key=NTH)}  # one upsert may not touch a row twice
    rows = [(e.site, e.app, e.version, e.status, e.operation_id, e.nth, _words(e.history)) for e in last.values()]
    for place, sequence in (await store.deployments.put_deployments(tx.conn, rows)).items():
        end = last[place]
        state = SiteState(
            site=end.site,
            app=end.app,
            version=end.version,
            status=end.status,
            operation_id=end.operation_id,
            strategy_id=end.strategy_id,
            at=tx.now,
        )
        tx.emit(state, sequence=sequence, correlation_id=end.strategy_id or end.operation_id)


def _words(history: tuple[str, ...] | None) -> str | None:
    return None if history is None else " ".join(history)


async def _refuse(knobs: Knobs, tx: Transaction, refusals: Sequence[tuple[Step, Sequence[Fault]]]) -> None:
    """A step whose site cannot change now waits without a slot, one whose site is there already is complete."""
    if not refusals:
        return
    conductor = Conductor(tx)
    await conductor.load(step[0] for step, _ in refusals)
    meant = [(step, meaning_of(faults, step[2], knobs.lag_attempts)) for step, faults in refusals]
    if later := [(*step, m.code, m.message) for step, m in meant if m.outcome is Outcome.LATER]:
        parked = await store.steps.park_steps(tx.conn, later)
        conductor.leave(parked)
        await _recount(conductor, parked, {"running": -1, "waiting": 1, "parked": 1})
        for strategy_id in {row[0] for row in later}:
            tx.set_timer(UNPARK, strategy_id, tx.now + timedelta(seconds=knobs.lag_seconds))
    if ends := [StepEnd(*step, m.outcome, m.code, m.message) for step, m in meant if m.outcome is not Outcome.LATER]:
        ended = await store.steps.finish_steps(tx.conn, ends)
        conductor.leave(ended)
        await _recount(conductor, ended, {"running": -1})
    await conductor.finish()


async def unpark(tx: Transaction, timers: Sequence[Timer]) -> None:
    """Steps that the deployer was not ready for try again."""
    conductor = Conductor(tx)
    ids = [timer.key for timer in timers]
    await conductor.load(ids)
    await _reopen(conductor, await store.steps.unpark_lagging(tx.conn, ids))
    await conductor.finish()


async def _reopen(conductor: Conductor, rows: Sequence[Row]) -> None:
    """Steps that were parked may start: the next look for waiting steps begins no later than at them."""
    scores = await _recount(conductor, rows, {"parked": -1})
    await conductor.places.reopen([row for row in rows if scores[row["strategy_id"]].groups])
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
