"""Undo: bring exactly the sites that one strategy changed back to what each had before it.

A rollback by its nature, whatever it undoes; but the way back from a rollback is an update, for the deployer forgets
what came after the release that a site went back to.
"""

from services.strategy_orchestrator.strategies.site import (
    Candidate,
    Changed,
    Target,
    already_there,
    never_deployed,
    not_upgradable,
)
from services.strategy_orchestrator.strategies.strategy_type import Type
from shared.messages.strategy import Why
from shared.messages.words import OperationKind


def goal(site: Candidate, target: Target) -> str | None:
    """What the site had before the strategy."""
    changed = _changed(site, target)
    return changed.before if changed else None


def operation(undone: OperationKind) -> OperationKind:
    """What takes a site back from what that operation did."""
    return OperationKind.UPDATE if undone is OperationKind.ROLLBACK else OperationKind.ROLLBACK


def judge(site: Candidate, target: Target) -> Why | None:
    """Leaves out sites that the strategy did not change, that went elsewhere since, or that did not have the app.

    An app that a strategy brought first is not removed by undoing it: with it would go its data.
    """
    undone, changed = target.undo, _changed(site, target)
    if undone is None or changed is None:
        return Why(code="not_changed", message=f"site {site.name} was not changed by that strategy")
    if changed.before is None:
        message = f"site {site.name} did not have {target.app} before strategy {undone.strategy}"
        advice = "`belay operation run SITE APP remove` takes it off"
        return Why(code="not_there_before", message=f"{message}; {advice}")
    if why := already_there(site, target.app, changed.before) or _moved_on(site, target, changed):
        return why
    if operation(undone.operation) is OperationKind.UPDATE:
        return not_upgradable(site, target, changed.before)
    return never_deployed(site, target, changed.before)


TYPE = Type(OperationKind.ROLLBACK, judge, goal=goal)


def _changed(site: Candidate, target: Target) -> Changed | None:
    return target.undo.changed.get(site.name) if target.undo else None


def _moved_on(site: Candidate, target: Target, changed: Changed) -> Why | None:
    """Somebody brought the site elsewhere after the strategy: that is not its doing, and not undone with it."""
    if site.version in (changed.brought, changed.before) or target.undo is None:
        return None
    now = f"runs {target.app} {site.version}" if site.version else f"does not have {target.app}"
    message = f"site {site.name} {now} now, not the {changed.brought} that strategy {target.undo.strategy} brought"
    return Why(code="moved_on", message=message)
