"""Wiring of the strategy orchestrator."""

from functools import partial

from services.strategy_orchestrator.handlers import HANDLERS, TIMERS, TOPICS
from services.strategy_orchestrator.pruning import prunings
from services.strategy_orchestrator.rollout.inspection import Inspections
from services.strategy_orchestrator.rollout.locking import lock_strategies_of, lock_strategies_of_timers
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.settings import OrchestratorSettings
from shared.process.service import Service


async def wire(service: Service) -> None:
    """Handlers, topics, timers and what is pruned; there is no long work here."""
    settings = OrchestratorSettings()
    service.ledger.begin = partial(UnitOfWork, settings=settings, inspections=Inspections())
    service.handlers = HANDLERS
    service.topics = TOPICS
    service.timers = TIMERS
    service.prepare = lock_strategies_of
    service.prepare_timers = lock_strategies_of_timers
    service.prunings = prunings(service.settings, settings)
