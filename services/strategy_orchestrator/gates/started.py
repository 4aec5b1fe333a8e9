"""A strategy starts sites only while it is applied: not before, not while it is paused or inspected."""

from datetime import datetime

from services.strategy_orchestrator.domain import Stage
from services.strategy_orchestrator.gates.gate import Closed, Open, Surroundings
from services.strategy_orchestrator.rollout.reasons import why_now
from shared.messages.strategy import Why
from shared.messages.words import StrategyState

NOT_STARTED = Why(code="not_started", message="the strategy is ready and was not applied yet")


def check(_stage: Stage, surroundings: Surroundings, _now: datetime) -> Open | Closed:
    """What does not go on has the reason of its strategy."""
    strategy = surroundings.strategy
    if strategy.state is StrategyState.APPLYING:
        return Open()
    why = NOT_STARTED if strategy.state is StrategyState.READY else why_now(strategy)
    return Closed(why.code, why.message)
