"""Events of sites are noted where an app is applied again on them. Where none is, one small query says so."""

from collections.abc import Iterable, Mapping, Sequence

from services.deployer.automatic import survey_store as store
from services.deployer.automatic.triggers import EVENTS
from shared.core.transaction import Transaction
from shared.messages.base import Cause
from shared.messages.site import Site


async def note(tx: Transaction, event: str, sites: Sequence[str]) -> None:
    """Something happened to these sites. Whether it is one of an app's triggers is judged when its turn comes."""
    if sites and (apps := await store.apps_with_triggers(tx.conn)):
        await store.wish_where_deployed(tx.conn, sites, apps, Cause(code=event, message=EVENTS[event]), tx.now)


async def note_changed(tx: Transaction, sites: Mapping[str, Site]) -> None:
    """Sites are about to be as these say: what is new of them is an event. Before they are put."""
    if not sites or not (apps := await store.apps_with_triggers(tx.conn)):
        return
    before = await store.sites_before(tx.conn, sites)
    for event, names in _events(sites, before).items():
        cause = Cause(code=event, message=EVENTS[event])
        await store.wish_where_deployed(tx.conn, names, apps, cause, tx.now)


def _events(sites: Mapping[str, Site], before: Mapping[str, store.Before]) -> dict[str, list[str]]:
    """By event, the sites that it happened to. Of several the one that says most is last, and counts."""
    found: dict[str, list[str]] = {event: [] for event in ("site_registered", "facts_changed", "maintenance_ended")}
    for name, site in sites.items():
        was = before.get(name)
        if was is None or was.group != site.group:
            found["site_registered"].append(name)
        if was and was.facts != site.facts:
            found["facts_changed"].append(name)
        if was and was.maintenance and not site.maintenance:
            found["maintenance_ended"].append(name)
    return {event: names for event, names in found.items() if names}


def came_online(told: Iterable[tuple[str, str, str]]) -> list[str]:
    """Of rows of site, what it was and what it is: those that answer again."""
    return [site for site, was, now in told if was == "offline" and now == "online"]


async def note_override(tx: Transaction, app: str, level: str, target: str) -> None:
    """What people set for an app changed: for the fleet, a group or a site."""
    if app not in await store.apps_with_triggers(tx.conn):
        return
    sites = [target] if level == "site" else await store.sites_of_group(tx.conn, target) if level == "group" else []
    if sites or level == "fleet":
        event = "overrides_changed"
        await store.wish_where_deployed(tx.conn, sites, [app], Cause(code=event, message=EVENTS[event]), tx.now)
