"""Update: bring sites from the release they have to another one that may be reached from it."""

from services.strategy_orchestrator.strategies.site import Candidate, Target, already_there, not_deployed
from shared.messages.strategy import Why
from shared.versions import may_upgrade


def judge(site: Candidate, target: Target) -> Why | None:
    """Leaves out sites without the app, on the release already, or without an upgrade edge to it."""
    if why := not_deployed(site, target) or already_there(site, target):
        return why
    if site.version is None or may_upgrade(target.scheme, target.upgrades_from, site.version):
        return None
    allowed = ", ".join(target.upgrades_from or ()) or "no release"
    message = f"{target.app} {target.version} upgrades from {allowed}; site {site.name} runs {site.version}"
    return Why(code="not_upgradable", message=message)
