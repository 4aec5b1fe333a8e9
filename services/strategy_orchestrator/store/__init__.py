"""Typed methods for all queries, by aggregate. All take the connection of the transaction they belong to."""

from services.strategy_orchestrator.store import (
    alarms,
    catching_up,
    deployments,
    drivers,
    groups,
    holds,
    publications,
    releases,
    secrets,
    sites,
    steps,
    strategies,
)

__all__ = [
    "alarms", "catching_up", "deployments", "drivers", "groups", "holds", "publications", "releases", "secrets",
    "sites", "steps", "strategies",
]  # fmt: skip
