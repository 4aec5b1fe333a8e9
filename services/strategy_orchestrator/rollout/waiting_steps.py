"""Waiting steps that end before their turn comes: exact in the counts, the queues of groups, and what is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.store.steps import Ended


async def end_waiting(
    work: UnitOfWork, tracked: TrackedStrategy, steps: Sequence[Ended], *, skipped: bool = False
) -> None:
    """These steps of a strategy were aborted. What is skipped does not make it fail."""
    tracked.aborted([ended.step for ended in steps])
    for stage, count in Counter(ended.step.stage for ended in steps if ended.was_blocked).items():
        tracked.recount(stage, blocked=-count)
    if tracked.groups:  # those that were busy did not stand in line
        await work.slots.drop(ended.step for ended in steps if not ended.was_blocked)
    if skipped:
        tracked.now = replace(tracked.now, skipped=tracked.now.skipped + len(steps))
