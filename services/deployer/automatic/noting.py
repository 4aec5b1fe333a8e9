"""Events of sites are noted where an app is applied again on them. Where none is, one small query says so."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from services.deployer.automatic import survey_store as store
from services.deployer.automatic.triggers import Occurrence, occurred
from shared.core.transaction import Transaction
from shared.messages.site import Site

Happened = tuple[str, Occurrence]
"""A site, and what happened to it."""


async def note(tx: Transaction, happened: Sequence[Happened]) -> None:
    """Something happened to these sites. Whether it is one of an app's triggers is judged when its turn comes."""
    if happened and (apps := await store.apps_with_triggers(tx.conn)):
        await store.wish_of_sites(tx.conn, happened, apps, tx.now)


async def new_of(tx: Transaction, changes: Sequence[Site]) -> list[Happened]:
    """Sites are about to be as these say, one after the other: what is new of them is an event. Asked before they are
    put, and noted once they are: of a site that is not there, or not any more, nothing is noted."""
    if not changes or not await store.apps_with_triggers(tx.conn):
        return []
    return list(changes_told(changes, await store.sites_before(tx.conn, {site.name for site in changes})))


def changes_told(changes: Iterable[Site], before: Mapping[str, store.Before]) -> Iterator[Happened]:
    """Of a site that changes more than once in a batch each change counts: its maintenance may begin and end there."""
    known = dict(before)
    for site in changes:
        was = known.get(site.name)
        if was is None or was.group != site.group:
            yield site.name, occurred("site_registered")
        if was and was.facts != site.facts:
            yield site.name, occurred("facts_changed", fact=names_changed(was.facts, site.facts))
        if was and was.maintenance and not site.maintenance:
            yield site.name, occurred("maintenance_ended")
        known[site.name] = store.Before(site.group, site.facts, site.maintenance)


def names_changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The facts that came, went, or are others now."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def online_again(told: Iterable[tuple[str, str, str]]) -> Iterator[Happened]:
    """Of rows of site, what it was and what it is: those that answer again."""
    return ((site, occurred("site_online")) for site, was, now in told if was == "offline" and now == "online")


def found_changed(told: Iterable[tuple[str, Mapping[str, str], Mapping[str, str]]]) -> Iterator[Happened]:
    """Of rows of site, facts that its drivers found before and now: what differs; at first all is new, and none has
    changed."""
    for site, before, now in told:
        if before and now and (changed := names_changed(before, now)):
            yield site, occurred("facts_changed", fact=changed)


async def note_override(tx: Transaction, app: str, level: str, target: str, component: str) -> None:
    """What people set for an app changed: for the fleet, a group or a site."""
    if app not in await store.apps_with_triggers(tx.conn):
        return
    sites = [target] if level == "site" else await store.sites_of_group(tx.conn, target) if level == "group" else []
    if sites or level == "fleet":
        event = occurred("overrides_changed", level=[level], component=[component])
        await store.wish_where_deployed(tx.conn, sites, [app], event, tx.now)
