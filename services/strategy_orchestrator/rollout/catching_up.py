"""Handler of the timer at which strategies that ended try again what was offline and is back."""

from collections.abc import Sequence
from datetime import timedelta

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.domain import Refused
from services.strategy_orchestrator.rollout.offline_steps import CATCH_UP, end_catching_up
from services.strategy_orchestrator.rollout.retrying import by_stage, reopen
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from shared.core.transaction import Timer
from shared.messages.words import StrategyState

HELD_UP = timedelta(minutes=1)
"""After so long a strategy looks again whose sites another one took at the same moment."""


async def catch_up(work: UnitOfWork, timers: Sequence[Timer]) -> None:
    """Try again what is back; what is not is looked for when it is, or until the time is over."""
    for tracked in await work.load(timer.key for timer in timers):
        until = tracked.now.catch_up_until
        if until is None or tracked.now.state is not StrategyState.FAILED or tracked.deleted_at is not None:
            continue
        if work.now >= until:
            await end_catching_up(work, tracked)
        elif not await _tried(work, tracked):
            due = await store.catching_up.next_due(work.conn, tracked.now.id, work.now)
            work.set_timer(CATCH_UP, tracked.now.id, min(due or until, until))


async def _tried(work: UnitOfWork, tracked: TrackedStrategy) -> bool:
    """Whether anything is tried again now, or the strategy looks again by another word."""
    try:
        async with work.whole_or_not(tracked):
            steps = await store.catching_up.reopen_back(work.conn, tracked.now.id, work.now)
            if steps:
                tracked.now = domain.catch_up(tracked.now, by_stage(steps))
                await reopen(work, tracked, steps)
            return bool(steps)
    except Refused as error:
        await _held_up(work, tracked, error)
        return True


async def _held_up(work: UnitOfWork, tracked: TrackedStrategy, error: Refused) -> None:
    """A release that was withdrawn is out of reach for good; a site that another strategy holds is not."""
    if any(fault.code == "release_withdrawn" for fault in error.faults):
        return await end_catching_up(work, tracked)
    work.set_timer(CATCH_UP, tracked.now.id, work.now + HELD_UP)
    return None
