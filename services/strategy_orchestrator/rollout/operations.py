"""Handlers for what the deployer says: operations begin, end, or are refused; and what follows for their strategies."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from operator import attrgetter

from services.strategy_orchestrator import store
from services.strategy_orchestrator.rollout.operation_ends import EndEvent, OperationEnd, ends_of
from services.strategy_orchestrator.rollout.operation_ids import batch_of, step_of
from services.strategy_orchestrator.rollout.refusals import UNFIT, RefusalEffect, StepAfterRefusal, step_after
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.rollout.watching import cancels_refused
from services.strategy_orchestrator.store.deployments import DeploymentEnd
from services.strategy_orchestrator.store.steps import Step, StepEnd
from shared.core.transaction import Timer
from shared.messages.base import Fault
from shared.messages.deployer import (
    CancelOperation,
    CommandAccepted,
    CommandRejected,
    OperationsTaken,
    RequestOperation,
    RequestOperations,
)
from shared.messages.strategy import SiteState
from shared.messages.words import StepState
from shared.wire.codec import Envelope

NTH = attrgetter("nth")

UNBLOCK = "unblock"
"""The timer that lets steps try again which the deployer was not ready for; its key is the strategy's id."""

KEPT_OUT = {"unmanaged": "unmanaged", "in_maintenance": "in_maintenance", "site_offline": "offline"}
"""What the precheck of a prestage finds of a site, and the reason of its step: aborted, as it would be if we had known
first. Nothing of it is a failure of the release."""

Attempt = tuple[str, int, int]
"""Strategy id, position and attempt of a step."""


async def operations_began(work: UnitOfWork, batch: Sequence[Envelope[CommandAccepted]]) -> None:
    """Note single operations, so that their sites count as busy; hear which of a strategy's may not begin."""
    answers = [envelope.data for envelope in batch]
    single = [
        (answer.about, answer.command_id)
        for answer in answers
        if answer.command_type == RequestOperation.TYPE and "plan" not in answer.result  # a preview
    ]
    if single:
        await store.deployments.begin_operations(work.conn, single)
    taken = [OperationsTaken.model_validate(a.result) for a in answers if a.command_type == RequestOperations.TYPE]
    await _refuse(work, [(step, r.faults) for t in taken for r in t.refused if (step := step_of(r.operation_id))])


async def requests_refused(work: UnitOfWork, batch: Sequence[Envelope[CommandRejected]]) -> None:
    """A strategy's command was refused as a whole: that is the answer to each of its operations."""
    await cancels_refused(work, [e.data for e in batch if e.data.command_type == CancelOperation.TYPE])
    asked = (e.data for e in batch if e.data.command_type == RequestOperations.TYPE)  # ids of others may look alike
    refusals = {name: answer.faults for answer in asked if (name := batch_of(answer.command_id))}
    if refusals:
        steps = await store.steps.steps_of_batches(work.conn, list(refusals))
        found = [((s.strategy_id, s.position, s.attempt), refusals[s.strategy_id, s.batch]) for s in steps]
        await _refuse(work, found)


async def operations_finished(work: UnitOfWork, batch: Sequence[Envelope[EndEvent]]) -> None:
    """End steps and single operations, note what runs on their sites, and let their strategies go on.

    Only an operation that was running here moves steps: its end may be told twice. What the deployer does by itself, or
    in a run over a site, is told by its end alone; that counts where it is news.
    """
    ends = {end.operation_id: end for envelope in batch for end in ends_of(envelope.data)}
    steps = {o: step for o, end in ends.items() if end.strategy_id and (step := step_of(o))}
    moved = await _end_steps(work, ends, steps)
    freed = await _end_singles(work, [end for o, end in ends.items() if o not in steps])
    news = await _news(work, [end for o, end in ends.items() if o not in steps and o not in freed])
    here = (ends[operation] for operation in (*moved, *freed, *news))
    await _note_deployments(work, [end for end in here if not end.prestaged])


async def _news(work: UnitOfWork, unknown: Sequence[OperationEnd]) -> set[str]:
    if not unknown:
        return set()
    return await store.deployments.find_news(work.conn, [(e.site, e.app, e.operation_id, e.nth) for e in unknown])


async def _end_steps(work: UnitOfWork, ends: dict[str, OperationEnd], steps: dict[str, Attempt]) -> list[str]:
    """End the running steps of these operations; returns the operations that ended one."""
    if not steps:
        return []
    await work.load(strategy_id for strategy_id, _, _ in steps.values())
    ended = await store.steps.finish_steps(work.conn, [_step_end(step, ends[op]) for op, step in steps.items()])
    by_step = {step: operation for operation, step in steps.items()}
    work.leave(ended)
    await _recount(work, ended, {"running": -1})
    return [by_step[step.strategy_id, step.position, step.attempt] for step in ended]


def _step_end(step: Attempt, end: OperationEnd) -> StepEnd:
    if end.failed and (code := _left_out(end, end.failed.cause.code)):
        return StepEnd(*step, StepState.ABORTED, code, end.failed.cause.message[:1_000])
    return StepEnd(*step, *_how(end), end.before, end.changed)


def _left_out(end: OperationEnd, code: str) -> str | None:
    """The reason of a step whose site was found, before anything was touched, to be one that a plan leaves out."""
    return code if code in UNFIT else KEPT_OUT.get(code) if end.prestaged else None


def _how(end: OperationEnd) -> tuple[str, str | None, str | None]:
    """State, code and message of the step. A prestage leaves what runs as it was, so nothing is said of that."""
    failed = end.failed
    if failed is None:
        return StepState.COMPLETE, None, None
    if end.prestaged:
        return StepState.FAILED, failed.cause.code, failed.cause.message[:1_000]
    back = f"; back on {failed.version}" if failed.recovered and failed.version else ""
    lost = "" if failed.recovered else "; the site could not be recovered"
    return StepState.FAILED, failed.cause.code, f"{failed.cause.message}{back}{lost}"[:1_000]


async def _end_singles(work: UnitOfWork, ends: Sequence[OperationEnd]) -> list[str]:
    """End single operations; a step that waited for the site may start. Returns the operations that were known."""
    if not ends:
        return []
    told = [(end.site, end.operation_id) for end in ends]
    known = await store.deployments.end_operations(work.conn, told, work.now)
    waiting = [(o.held_by, o.held_position) for o in known if o.held_by and o.held_position is not None]
    if waiting:
        await work.load(strategy_id for strategy_id, _ in waiting)
        await _reopen(work, await store.steps.unblock_steps(work.conn, waiting))
    return [operation.operation_id for operation in known]


async def _note_deployments(work: UnitOfWork, ends: Sequence[OperationEnd]) -> None:
    if not ends:
        return
    last = {(end.site, end.app): end for end in sorted(ends, key=NTH)}  # one upsert may not touch a row twice
    for place, sequence in (await store.deployments.put_deployments(work.conn, map(_now_there, last.values()))).items():
        end = last[place]
        state = SiteState(
            site=end.site,
            app=end.app,
            version=end.version,
            status=end.status,
            operation_id=end.operation_id,
            strategy_id=end.strategy_id,
            at=work.now,
        )
        work.emit(state, sequence=sequence, correlation_id=end.strategy_id or end.operation_id)


def _now_there(end: OperationEnd) -> DeploymentEnd:
    history = None if end.history is None else " ".join(end.history)
    return DeploymentEnd(end.site, end.app, end.version, end.status, end.operation_id, end.nth, history)


async def _refuse(work: UnitOfWork, refusals: Sequence[tuple[Attempt, Sequence[Fault]]]) -> None:
    """A step whose site cannot change now waits without a slot, one whose site is there already is complete."""
    if not refusals:
        return
    asked = {tracked.now.id: tracked.stored.operation for tracked in await work.load(step[0] for step, _ in refusals)}
    most = work.settings.lag_attempts
    known = [(step, faults, asked[step[0]]) for step, faults in refusals if step[0] in asked]
    after = [(step, step_after(faults, step[2], most, operation)) for step, faults, operation in known]
    await _block(work, [(*step, a.code, a.message) for step, a in after if a.effect is RefusalEffect.LATER])
    await _end(work, [(step, a) for step, a in after if a.effect is not RefusalEffect.LATER])


async def _block(work: UnitOfWork, later: Sequence[tuple[str, int, int, str, str]]) -> None:
    if not later:
        return
    blocked = await store.steps.block_steps(work.conn, later)
    work.leave(blocked)
    await _recount(work, blocked, {"running": -1, "waiting": 1, "blocked": 1})
    for strategy_id in {step[0] for step in later}:
        work.set_timer(UNBLOCK, strategy_id, work.now + timedelta(seconds=work.settings.lag_seconds))


async def _end(work: UnitOfWork, after: Sequence[tuple[Attempt, StepAfterRefusal]]) -> None:
    if not after:
        return
    ended = await store.steps.finish_steps(
        work.conn, [StepEnd(*step, a.effect, a.code, a.message) for step, a in after]
    )
    work.leave(ended)
    await _recount(work, ended, {"running": -1})


async def unblock(work: UnitOfWork, timers: Sequence[Timer]) -> None:
    """Steps that the deployer was not ready for try again."""
    ids = [timer.key for timer in timers]
    await work.load(ids)
    await _reopen(work, await store.steps.unblock_lagging(work.conn, ids))


async def _reopen(work: UnitOfWork, steps: Sequence[Step]) -> None:
    """Steps that were blocked may start: the next look for waiting steps begins no later than at them."""
    strategies = await _recount(work, steps, {"blocked": -1})
    await work.slots.reopen([step for step in steps if strategies[step.strategy_id].groups])
    for step in steps:
        strategies[step.strategy_id].reopen(step)


async def _recount(work: UnitOfWork, steps: Iterable[Step], deltas: dict[str, int]) -> dict[str, TrackedStrategy]:
    """Fold steps that moved into the counts of their stages: one change a stage, whatever the number of steps.

    `deltas` hold for each step; a step that left `running` for another state than waiting counts there as well.
    """
    steps = list(steps)
    strategies = {tracked.now.id: tracked for tracked in await work.load({step.strategy_id for step in steps})}
    sums: dict[tuple[str, int], Counter[str]] = {}
    for step in steps:
        counter = sums.setdefault((step.strategy_id, step.stage), Counter())
        counter.update(deltas)
        if step.state != StepState.WAITING:
            counter[step.state] += 1
        strategies[step.strategy_id].note([step])
    for (strategy_id, stage), counter in sums.items():
        strategies[strategy_id].recount(stage, **counter)
    return strategies
