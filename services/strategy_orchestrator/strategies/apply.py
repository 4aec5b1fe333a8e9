"""Apply: put an app on sites that do not have it, or where it broke; or carry out what has changed where it runs."""

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
    """Leaves out sites that have the app: they need an update, or `force` and an upgrade edge.

    With `only_changes` those that have this very release take part, or without a version whatever they have: where
    nothing has changed their steps end at once.
    """
    if target.only_changes and target.version is None:
        return not_deployed(site, target)
    if target.force:
        return not_upgradable(site, target, target.version)
    if not target.only_changes and (why := already_there(site, target.app, target.version)):
        return why
    if site.version in (None, target.version):
        return None
    message = f"site {site.name} has {target.app} {site.version}; use a strategy of type update, or force"
    return Why(code="deployed_already", message=message)


TYPE = Type(OperationKind.APPLY, judge)
