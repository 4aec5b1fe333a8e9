"""Remove: take an app off sites. What becomes of its data is its driver's business."""

from services.strategy_orchestrator.strategies.site import Candidate, Target
from services.strategy_orchestrator.strategies.strategy_type import Type
from shared.messages.strategy import Why
from shared.messages.words import OperationKind

ALREADY_REMOVED = "already_removed"
"""The app is not there, not even half-way: there is nothing to take off."""


def judge(site: Candidate, target: Target) -> Why | None:
    """Leaves out sites that do not have the app."""
    if site.version is not None or site.broken or site.operation_id or site.held_by:
        return None
    return Why(code=ALREADY_REMOVED, message=f"site {site.name} does not have {target.app}")


def goal(_: Candidate, __: Target) -> None:
    """No release: nothing is to be left."""


TYPE = Type(
    OperationKind.REMOVE,
    judge,
    goal=goal,
    no_way_back="nobody can say that its data is as it was; a strategy of type apply puts the app on again",
)
