"""What follows for steps when their sites are not as they were: offline, unmanaged, in maintenance, gone, or back."""

from collections import defaultdict
from collections.abc import Sequence

from services.strategy_orchestrator import store
from services.strategy_orchestrator.rollout.offline_steps import CATCH_UP
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.rollout.waiting_steps import end_waiting
from services.strategy_orchestrator.store.steps import Ended


async def sites_changed(work: UnitOfWork, names: Sequence[str]) -> None:
    """These sites changed in this transaction, whose rows say already what they are now: other than before are their
    availability, `managed`, `maintenance` or alarms, or they are there no longer.

    Waiting steps of sites that may not be changed now end. Running ones end as the deployer says. Strategies that
    wait for one that is back look at it.
    """
    if ended := await store.steps.abort_turned(work.conn, names):
        await _end(work, ended)
    for strategy_id in await store.catching_up.waited_for(work.conn, names):
        work.set_timer(CATCH_UP, strategy_id, work.now)


async def _end(work: UnitOfWork, ended: Sequence[Ended]) -> None:
    by_strategy: defaultdict[str, list[Ended]] = defaultdict(list)
    for one in ended:
        by_strategy[one.step.strategy_id].append(one)
    for tracked in await work.load(by_strategy):
        await end_waiting(work, tracked, by_strategy[tracked.now.id])
