"""Rollback: bring sites back to a release they had, with the same stages and limits as any roll-out."""

from services.strategy_orchestrator.strategies.site import (
    Candidate,
    Target,
    already_there,
    never_deployed,
    not_deployed,
)
from services.strategy_orchestrator.strategies.strategy_type import Type
from shared.messages.strategy import Why
from shared.messages.words import OperationKind


def goal(site: Candidate, target: Target) -> str | None:
    """The release named, or what the site had before."""
    return target.version or site.way_back


def judge(site: Candidate, target: Target) -> Why | None:
    """Leaves out sites without the app, on that release already, that never had it, or had none before.

    `force` makes no difference: there is no way back to where a site is.
    """
    if why := not_deployed(site, target):
        return why
    version = goal(site, target)
    if version is None:
        return Why(code="no_previous_release", message=f"site {site.name} had no release before {site.version}")
    return already_there(site, target.app, version) or never_deployed(site, target, version)


TYPE = Type(OperationKind.ROLLBACK, judge, goal=goal)
