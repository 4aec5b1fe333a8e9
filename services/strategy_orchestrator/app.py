"""Wiring of the strategy orchestrator."""

from services.strategy_orchestrator.handlers import TIMERS, TOPICS, handlers
from services.strategy_orchestrator.pruning import prunings
from services.strategy_orchestrator.rollout.locking import lock_strategies_of, lock_strategies_of_timers
from services.strategy_orchestrator.settings import Knobs
from shared.process.service import Service


async def wire(service: Service) -> None:
    """Handlers, topics and timers; there is no long work here."""
    knobs = Knobs()
    service.handlers = handlers(knobs)
    service.topics = TOPICS
    service.timers = TIMERS
    service.prepare = lock_strategies_of
    service.prepare_timers = lock_strategies_of_timers
    service.prunings = prunings(service.settings, knobs)
