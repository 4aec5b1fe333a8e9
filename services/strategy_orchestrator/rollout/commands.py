"""Handlers for what people ask of strategies that there are, and the table of all commands about strategies."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.domain import Refused
from services.strategy_orchestrator.rollout import creation, retrying
from services.strategy_orchestrator.rollout.holding import hold_to_begin
from services.strategy_orchestrator.rollout.offline_steps import end_catching_up
from services.strategy_orchestrator.rollout.skipping import skip
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.rollout.watching import cancel, cancel_running
from shared.core.dispatching import Handlers
from shared.core.inbox import Accepted, Rejected, Reply
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CancelRunning,
    CreateStrategy,
    DeleteStrategy,
    PauseStrategy,
    RecountStrategy,
    ResumeStrategy,
    RetryFailed,
    SkipSteps,
    StrategyDeleted,
    UndoStrategy,
)
from shared.messages.words import StrategyAction, StrategyState
from shared.wire.codec import Envelope

Change = Callable[[UnitOfWork, TrackedStrategy, Envelope[Any]], Awaitable[None]]
"""Changes a strategy; raises Refused when that cannot be."""


def moving(change: Change) -> Callable[[UnitOfWork, Sequence[Envelope[Any]]], Awaitable[list[Reply]]]:
    """A handler that finds the strategy of each command, changes it, and carries out what follows."""

    async def handler(work: UnitOfWork, batch: Sequence[Envelope[Any]]) -> list[Reply]:
        return [await _move(work, envelope, change) for envelope in batch]

    return handler


async def _move(work: UnitOfWork, envelope: Envelope[Any], change: Change) -> Reply:
    reference = envelope.data.strategy
    strategy_id = await store.strategies.find_strategy(work.conn, reference)
    found = await work.load([strategy_id]) if strategy_id else []
    if not found or found[0].deleted_at is not None:
        word = "was deleted" if found else "does not exist"
        return Rejected.because("unknown_strategy", f"strategy '{reference}' {word}", "strategy", reference)
    (tracked,) = found
    if tracked.changed:  # by what came before in the same poll: it may have ended
        await work.settle(tracked)
    try:
        async with work.whole_or_not(tracked):
            await change(work, tracked, envelope)
    except Refused as error:
        return Rejected(error.faults)
    await work.settle(tracked)
    return Accepted({"strategy_id": strategy_id, "state": work.state_of(tracked)})


async def _apply(work: UnitOfWork, tracked: TrackedStrategy, envelope: Envelope[Any]) -> None:
    tracked.now = domain.apply(tracked.now, envelope.actor, envelope.data.reason)
    if tracked.now.state is not StrategyState.WAITING:
        await hold_to_begin(work, tracked)


async def _pause(_: UnitOfWork, tracked: TrackedStrategy, envelope: Envelope[Any]) -> None:
    tracked.now = domain.pause(tracked.now, envelope.actor, envelope.data.reason)


async def _resume(_: UnitOfWork, tracked: TrackedStrategy, envelope: Envelope[Any]) -> None:
    tracked.now = domain.resume(tracked.now, envelope.actor, envelope.data.reason)


async def _abort(work: UnitOfWork, tracked: TrackedStrategy, envelope: Envelope[Any]) -> None:
    now = envelope.data.now
    if not (now and tracked.now.state is StrategyState.ABORTING):  # who is told that it waits may be in a hurry then
        tracked.now = domain.abort(tracked.now, envelope.actor, envelope.data.reason)
    if now and tracked.now.counts.running:
        await cancel(work, tracked, envelope)


async def _retry(work: UnitOfWork, tracked: TrackedStrategy, envelope: Envelope[Any]) -> None:
    domain.check(tracked.now, StrategyAction.RETRY)
    command: RetryFailed = envelope.data
    await retrying.refuse_strangers(work, tracked, command.sites)
    steps = await store.steps.reopen_steps(work.conn, tracked.now.id, command.sites)
    if tracked.now.state in domain.ENDED:
        await end_catching_up(work, tracked)
    tracked.now = domain.retry(tracked.now, retrying.by_stage(steps), envelope.actor, command.reason)
    await retrying.reopen(work, tracked, steps)


async def _recount(work: UnitOfWork, tracked: TrackedStrategy, envelope: Envelope[Any]) -> None:
    counted = await store.steps.count_steps(work.conn, tracked.now.id)
    tracked.now = domain.recount(tracked.now, counted, envelope.actor, envelope.data.reason)
    tracked.cursors = [counted[stage.position].first for stage in tracked.now.stages]
    if groups := tracked.groups:
        await store.groups.recount_running(work.conn, work.slots.renew(groups))
        tracked.groups = await store.groups.make_queues(work.conn, tracked.now.id)
        work.slots.read_anew(tracked.now.id)


async def _delete(work: UnitOfWork, tracked: TrackedStrategy, envelope: Envelope[Any]) -> None:
    domain.check(tracked.now, StrategyAction.DELETE)
    await end_catching_up(work, tracked)
    strategy, tracked.deleted_at = tracked.now, work.now
    await store.strategies.delete_strategy(work.conn, strategy.id, work.now)
    about = {"strategy_id": strategy.id, "name": strategy.name, "by": envelope.actor, "reason": envelope.data.reason}
    tracked.emit(work, StrategyDeleted(**about, at=work.now), cause=envelope)


apply, pause, resume = moving(_apply), moving(_pause), moving(_resume)
abort, retry, delete = moving(_abort), moving(_retry), moving(_delete)
recount = moving(_recount)

HANDLERS: Handlers = {
    CreateStrategy: creation.create,
    ApplyStrategy: apply,
    PauseStrategy: pause,
    ResumeStrategy: resume,
    AbortStrategy: abort,
    CancelRunning: moving(cancel_running),
    RetryFailed: retry,
    SkipSteps: moving(skip),
    RecountStrategy: recount,
    UndoStrategy: creation.undo,
    DeleteStrategy: delete,
}
