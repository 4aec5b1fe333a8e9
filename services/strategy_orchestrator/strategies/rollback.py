"""Rollback: bring sites back to a release they had, with the same stages and limits as any roll-out."""

from dataclasses import replace

from services.strategy_orchestrator.strategies.site import Candidate, Target, already_there, not_deployed
from shared.messages.strategy import Why


def judge(site: Candidate, target: Target) -> Why | None:
    """Leaves out sites without the app, on that release already, or, when none is named, without an earlier one.

    `force` makes no difference: there is no way back to where a site is.
    """
    if why := not_deployed(site, target) or already_there(site, replace(target, force=False)):
        return why
    if target.version is None and site.previous is None:
        return Why(code="no_previous_release", message=f"site {site.name} had no release before {site.version}")
    return None
