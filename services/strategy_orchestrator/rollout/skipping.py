"""People leave single sites of a strategy out before their turn comes."""

from typing import Any

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.domain import Refused
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.rollout.waiting_steps import end_waiting
from shared.messages.base import Fault, some_of
from shared.messages.strategy import SkipSteps, Why
from shared.messages.words import StepState, StrategyAction
from shared.wire.codec import Envelope

SKIPPED = "skipped"
"""The reason of a step that a person left out."""


async def skip(work: UnitOfWork, tracked: TrackedStrategy, envelope: Envelope[Any]) -> None:
    """All of the command's sites, or none. Raises Refused for those that do not wait."""
    domain.check(tracked.now, StrategyAction.SKIP)
    command: SkipSteps = envelope.data
    states = await store.steps.states_of(work.conn, tracked.now.id, command.sites)
    wrong = [(i, site) for i, site in enumerate(command.sites) if states.get(site) != StepState.WAITING]
    if wrong:
        raise Refused(*some_of(wrong, lambda place: _fault(tracked.now.name, *place, states.get(place[1]))))
    text = f"skipped by {envelope.actor or 'an operator'}"
    why = Why(code=SKIPPED, message=f"{text}: {command.reason}" if command.reason else text)
    steps = await store.steps.skip_steps(work.conn, tracked.now.id, command.sites, why)
    await end_waiting(work, tracked, steps, skipped=True)


def _fault(strategy: str, index: int, site: str, state: str | None) -> Fault:
    if state is None:
        return unknown_step(strategy, index, site)
    message = f"the step of site '{site}' is {state}; only what waits can be skipped"
    return Fault(code="wrong_state", field=f"sites.{index}", message=message, value=site)


def unknown_step(strategy: str, index: int, site: str) -> Fault:
    """A command names a site that the strategy has no step for."""
    message = f"site '{site}' takes no part in strategy {strategy}"
    return Fault(code="unknown_step", field=f"sites.{index}", message=message, value=site)
