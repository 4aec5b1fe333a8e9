"""States of a site that keep strategies away from it, whatever runs there. Which type heeds which: `Type`."""

from collections.abc import Callable

from services.strategy_orchestrator.strategies.site import Candidate, Target
from shared.messages.strategy import Why

OFFLINE = "offline"
"""Of a site's availability, and the reason of what is not done because of it."""

TURNED = {
    "unmanaged": "the site became unmanaged",
    "in_maintenance": "the site went into maintenance",
    "offline": "the site went offline",
    "site_removed": "the site was removed; there is nothing left to do",
}
"""What is told of a step that ended because its site is not as it was when it was planned, by the reason."""

Heed = Callable[[Candidate, Target], Why | None]
"""Why a site is left alone now; None when nothing stands against it."""

SHOWN = 3
"""A reason names so many alarms or secrets."""


def unmanaged(site: Candidate, _: Target) -> Why | None:
    """A site that strategies leave alone."""
    return None if site.managed else Why(code="unmanaged", message=f"site {site.name} is unmanaged")


def offline(site: Candidate, _: Target) -> Why | None:
    """A site that no driver reaches. One of which nobody knows yet counts as online."""
    if site.availability != OFFLINE:
        return None
    cause = f": {site.cause}" if site.cause else ""
    return Why(code="offline", message=f"site {site.name} is offline{cause}")


def in_maintenance(site: Candidate, _: Target) -> Why | None:
    """A site that people work on."""
    return Why(code="in_maintenance", message=f"site {site.name} is in maintenance") if site.maintenance else None


def alarms_active(site: Candidate, target: Target) -> Why | None:
    """A site with alarms that affect its management, unless `force` passes them by."""
    if target.force or not site.alarms:
        return None
    message = f"site {site.name} has management-affecting alarms: {_listed(site.alarms)}; clear them, or force"
    return Why(code="alarms_active", message=message)


def unknown_secret(site: Candidate, _: Target) -> Why | None:
    """A site whose connection names a secret that nobody has set."""
    if not site.unknown_secrets:
        return None
    message = f"a connection of site {site.name} names a secret that is not there: {_listed(site.unknown_secrets)}"
    return Why(code="unknown_secret", message=f"{message}; `belay secret set` keeps one")


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


STANDING: tuple[Heed, ...] = (unmanaged, in_maintenance, offline, alarms_active, unknown_secret)
"""What every type heeds that reaches sites."""
