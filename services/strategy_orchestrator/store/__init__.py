"""Typed methods for all queries, by aggregate. All take the connection of the transaction they belong to."""

from services.strategy_orchestrator.store import alarms, deployments, groups, holds, releases, sites, steps, strategies

__all__ = ["alarms", "deployments", "groups", "holds", "releases", "sites", "steps", "strategies"]
