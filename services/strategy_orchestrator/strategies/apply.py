"""Apply: put an app on sites that do not have it."""

from services.strategy_orchestrator.strategies.site import Candidate, Target, already_there
from shared.messages.strategy import Why


def judge(site: Candidate, target: Target) -> Why | None:
    """Leaves out sites that have the app: they need an update, or `force`."""
    if why := already_there(site, target):
        return why
    if site.version is None or target.force:
        return None
    message = f"site {site.name} has {target.app} {site.version}; use a strategy of type update, or force"
    return Why(code="deployed_already", message=message)
