"""Wiring of the strategy orchestrator."""

from services.strategy_orchestrator.handlers import HANDLERS, TIMERS, TOPICS
from shared.service import Service


async def wire(service: Service) -> None:
    """Handlers, topics and timers; there is no long work here."""
    service.handlers = HANDLERS
    service.topics = TOPICS
    service.timers = TIMERS
