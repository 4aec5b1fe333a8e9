"""Steps that ended and wait again: those that people ask for, and those whose site was offline and is back."""

from collections import Counter
from collections.abc import Sequence

from services.strategy_orchestrator import store
from services.strategy_orchestrator.domain import Refused, Reopened
from services.strategy_orchestrator.rollout.holding import REMOVED, hold
from services.strategy_orchestrator.rollout.skipping import SKIPPED, unknown_step
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.store.steps import ReopenedStep
from shared.messages.base import Fault, some_of
from shared.messages.words import StepState

NOT_FAILING = frozenset({SKIPPED, REMOVED.code})
"""Reasons of aborted steps that do not make their strategy fail."""

TRIED_AGAIN = frozenset({StepState.FAILED, StepState.ABORTED})


async def refuse_strangers(work: UnitOfWork, tracked: TrackedStrategy, sites: Sequence[str]) -> None:
    """Raises Refused for sites that have no failed or aborted step in the strategy."""
    states = await store.steps.states_of(work.conn, tracked.now.id, sites) if sites else {}
    wrong = [(i, site) for i, site in enumerate(sites) if states.get(site) not in TRIED_AGAIN]
    if wrong:
        raise Refused(*some_of(wrong, lambda place: _fault(tracked.now.name, *place, states.get(place[1]))))


def _fault(strategy: str, index: int, site: str, state: str | None) -> Fault:
    if state is None:
        return unknown_step(strategy, index, site)
    message = f"the step of site '{site}' is {state}; only what failed or was aborted can be tried again"
    return Fault(code="wrong_state", field=f"sites.{index}", message=message, value=site)


def by_stage(steps: Sequence[ReopenedStep]) -> dict[int, Reopened]:
    """How many steps of each stage wait again, by what they were."""
    were = Counter((one.step.stage, one.was_state) for one in steps)
    skipped = Counter(one.step.stage for one in steps if one.was_state == "aborted" and one.was_code in NOT_FAILING)
    stages = {one.step.stage for one in steps}
    return {n: Reopened(were[n, "failed"], were[n, "aborted"], skipped[n]) for n in stages}


async def reopen(work: UnitOfWork, tracked: TrackedStrategy, steps: Sequence[ReopenedStep]) -> None:
    """Hold the sites of steps that wait again, and look for them where they stand.

    Raises Refused when one of them cannot be had.
    """
    tracked.note(one.step for one in steps)
    await hold(work, tracked)
    for one in steps:
        tracked.reopen(one.step)
