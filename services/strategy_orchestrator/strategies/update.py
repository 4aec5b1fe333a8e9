"""Update: bring sites from the release they have to another one that may be reached from it."""

from services.strategy_orchestrator.strategies.site import (
    Candidate,
    Target,
    already_there,
    not_deployed,
    not_upgradable,
)
from services.strategy_orchestrator.strategies.strategy_type import Type
from shared.messages.strategy import Why
from shared.messages.words import OperationKind


def judge(site: Candidate, target: Target) -> Why | None:
    """Leaves out sites without the app, on the release already, or without an upgrade edge to it."""
    there = None if target.force else already_there(site, target.app, target.version)
    return not_deployed(site, target) or there or not_upgradable(site, target, target.version)


TYPE = Type(OperationKind.UPDATE, judge, forced=OperationKind.APPLY)
