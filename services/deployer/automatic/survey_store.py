"""What is looked at by itself, what was found, and what is meant to be done: each query typed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from services.deployer.automatic.store import switches_of
from services.deployer.automatic.triggers import Occurrence
from shared.messages.automatic import ComponentDrift, Switches
from shared.messages.base import Cause
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("survey.sql"))

MOST_EVENTS = 20
"""Of a wish: those that came first go first, when there are more."""

Pair = tuple[str, str]
"""A site with an app."""


class Belonging(NamedTuple):
    """By what a site is chosen, beside its name."""

    group: str | None = None
    labels: Mapping[str, str] = MappingProxyType({})


class Drift(NamedTuple):
    """How an app on a site is not as it was left, and what follows from that."""

    site: str
    app: str
    version: str | None
    components: tuple[ComponentDrift, ...]
    follows: str
    ended: int
    """Operations that had ended there when it was found."""


class Wish(NamedTuple):
    """What somebody of ours means to do there, and how often that was tried."""

    site: str
    app: str
    cause: Cause
    tries: int


class Wished(NamedTuple):
    """Why somebody of ours looks there, and whether it was tried often enough."""

    cause: Cause
    given_up: bool
    events: tuple[Occurrence, ...] = ()


async def apps_looked_at(conn: Connection) -> dict[str, Switches]:
    """Apps of which somebody says that something is done by itself, with what people said."""
    rows = await SQL.fetch(conn, "apps_looked_at")
    return {row["app"]: switches_of(row["switches"]) for row in rows}


async def sites_of_bucket(conn: Connection, bucket: int, after: str, limit: int) -> list[str]:
    """Sites that may be touched, by name after one."""
    return [row["name"] for row in await SQL.fetch(conn, "sites_of_bucket", bucket=bucket, after=after, limit=limit)]


async def pairs_of(conn: Connection, sites: Sequence[str], apps: Mapping[str, Switches]) -> list[Pair]:
    """Where these apps are, are meant to be, or were found not to be as they were left."""
    named = [
        {"app": app, "sites": on.sites if on else (), "groups": on.groups if on else ()}
        for app, said in apps.items()
        for on in (said.deployed_on,)
    ]
    rows = await SQL.fetch(conn, "pairs_of", sites=list(sites), apps=named)
    return [(row["site"], row["app"]) for row in rows]


async def belonging_of(conn: Connection, sites: Iterable[str]) -> dict[str, Belonging]:
    """Group and labels of each site."""
    rows = await SQL.fetch(conn, "belonging_of", sites=sorted(set(sites)))
    return {r["name"]: Belonging(r["site_group"], r["labels"]) for r in rows}


async def barred(conn: Connection, apps: Iterable[str], threshold: int) -> set[Pair]:
    """Releases, by app and version, that failed on so many sites."""
    rows = await SQL.fetch(conn, "barred_of", apps=sorted(set(apps)), threshold=threshold)
    return {(row["app"], row["version"]) for row in rows}


async def drift_of(conn: Connection, pairs: Sequence[Pair]) -> dict[Pair, Drift]:
    """What was found there before."""
    sites, apps = columns(pairs, 2)
    rows = await SQL.fetch(conn, "drift_of", sites=sites, apps=apps)
    return {(r["site"], r["app"]): _drift(r) for r in rows}


def _drift(row: Any) -> Drift:
    components = tuple(ComponentDrift.model_validate(each) for each in row["components"])
    return Drift(row["site"], row["app"], row["version"], components, row["what_follows"], row["ended"])


async def ends_of(conn: Connection, pairs: Sequence[Pair]) -> dict[Pair, int]:
    """How many operations have ended there."""
    sites, apps = columns(pairs, 2)
    return {(r["site"], r["app"]): r["nth"] for r in await SQL.fetch(conn, "ends_of", sites=sites, apps=apps)}


async def put_drift(conn: Connection, found: Sequence[Drift], now: datetime) -> set[Pair]:
    """Keep what was found; where that was news."""
    rows = [(d.site, d.app, d.version, _json(d.components), d.follows, d.ended) for d in found]
    names = ("sites", "apps", "versions", "components", "follows", "ended")
    told = await SQL.fetch(conn, "put_drift", **dict(zip(names, columns(rows, 6), strict=True)), now=now)
    return {(row["site"], row["app"]) for row in told}


def _json(components: Sequence[ComponentDrift]) -> str:
    return orjson.dumps([each.model_dump(mode="json") for each in components]).decode()


async def drift_stands(conn: Connection, pairs: Sequence[Pair]) -> None:
    """What was found there is so after the operation that ended there last, too."""
    sites, apps = columns(pairs, 2)
    await SQL.run(conn, "drift_stands", sites=sites, apps=apps)


async def end_drift(conn: Connection, pairs: Sequence[Pair]) -> list[Pair]:
    """It is as it should be there; where it was not before."""
    sites, apps = columns(pairs, 2)
    return [(r["site"], r["app"]) for r in await SQL.fetch(conn, "end_drift", sites=sites, apps=apps)]


async def next_drift(conn: Connection) -> int:
    """The number of what was just kept or ended: higher than all told of these places before, whose rows are ours."""
    number: int = await SQL.value(conn, "next_drift")
    return number


async def wish(conn: Connection, wishes: Sequence[tuple[str, str, Cause]], now: datetime) -> None:
    """Have something done there (each app of a site once); what was given up there for another reason is over."""
    sites, apps, causes = columns([(s, a, c.model_dump()) for s, a, c in wishes], 3)
    await SQL.run(conn, "wish", sites=sites, apps=apps, causes=causes, now=now)


async def wish_of_sites(
    conn: Connection, happened: Sequence[tuple[str, Occurrence]], apps: Iterable[str], now: datetime
) -> int:
    """Have these apps looked at where they run, since something happened to their sites; on how many."""
    sites: dict[str, list[dict[str, Any]]] = {}
    for site, occurrence in happened:
        sites.setdefault(site, []).append(occurrence.stored())
    events = [orjson.dumps(each).decode() for each in sites.values()]
    return await _wish_since(conn, apps, now, sites=list(sites), events=events, everywhere=None)


async def wish_where_deployed(
    conn: Connection, sites: Sequence[str], apps: Iterable[str], event: Occurrence, now: datetime
) -> int:
    """The same wherever these apps run, on these sites or on all, since this happened; on how many."""
    if sites:
        return await wish_of_sites(conn, [(site, event) for site in dict.fromkeys(sites)], apps, now)
    return await _wish_since(conn, apps, now, sites=[], events=[], everywhere=[event.stored()])


async def _wish_since(conn: Connection, apps: Iterable[str], now: datetime, **happened: Any) -> int:
    named = {"apps": sorted(set(apps)), "most": MOST_EVENTS, "now": now}
    return len(await SQL.fetch(conn, "wish_since", **named, **happened))


async def drop_wishes(conn: Connection, pairs: Sequence[Pair]) -> None:
    """Nothing is to be done there any more."""
    sites, apps = columns(pairs, 2)
    await SQL.run(conn, "drop_wishes", sites=sites, apps=apps)


async def drop_idle(conn: Connection, pairs: Sequence[Pair]) -> None:
    """The same, unless anything happened there that somebody may wait for: that is judged when its turn comes."""
    sites, apps = columns(pairs, 2)
    await SQL.run(conn, "drop_fulfilled", sites=sites, apps=apps)
    await SQL.run(conn, "judge_soon", sites=sites, apps=apps)


async def wishes_of(conn: Connection, pairs: Sequence[Pair]) -> dict[Pair, Wished]:
    """What is meant to be done there."""
    sites, apps = columns(pairs, 2)
    rows = await SQL.fetch(conn, "wishes_of", sites=sites, apps=apps)
    return {(r["site"], r["app"]): _wished(r) for r in rows}


def _wished(row: Any) -> Wished:
    events = tuple(map(Occurrence.of, row["events"]))
    return Wished(Cause.model_validate(row["cause"]), row["given_up"], events)


async def any_wish_due(conn: Connection) -> bool:
    """Whether it is worth a transaction."""
    return bool(await SQL.value(conn, "any_wish_due"))


async def claim_wishes(conn: Connection, at_once: int) -> list[Wish]:
    """All that is due on the sites whose turn it is, as many as may be under way over the fleet; nobody else counts
    meanwhile."""
    await SQL.fetch(conn, "lock_wishes")
    room = at_once - int(await SQL.value(conn, "wishes_under_way") or 0)
    if room <= 0:
        return []
    rows = await SQL.fetch(conn, "claim_wishes", limit=room)
    return [Wish(row["site"], row["app"], Cause.model_validate(row["cause"]), row["tries"]) for row in rows]


async def begin_wishes(conn: Connection, begun: Sequence[tuple[str, str, str]]) -> None:
    """These have operations now: site, app, operation."""
    sites, apps, ids = columns(begun, 3)
    await SQL.run(conn, "begin_wishes", sites=sites, apps=apps, operation_ids=ids)


async def put_off(conn: Connection, rows: Sequence[tuple[str, str, timedelta, int]], most: int) -> None:
    """Later: site, app, how much later, and 1 where that was a try."""
    sites, apps, pauses, failed = columns(rows, 4)
    await SQL.run(conn, "put_off_wishes", sites=sites, apps=apps, pauses=pauses, failed=failed, most=most)


async def lock_wishes_of(conn: Connection, operation_ids: Sequence[str]) -> None:
    """Hold what these operations were begun for until the end of the transaction."""
    await SQL.fetch(conn, "lock_wishes_of", operation_ids=list(operation_ids))


async def end_wishes(conn: Connection, operation_ids: Sequence[str], brought_back: Sequence[str] = ()) -> None:
    """Their operations succeeded; these of them only brought back what was there, whatever happened since."""
    rows = await SQL.fetch(conn, "end_wishes", operation_ids=list(operation_ids), brought_back=list(brought_back))
    if rows:
        sites, apps = columns([(row["site"], row["app"]) for row in rows], 2)
        await SQL.run(conn, "drop_fulfilled", sites=sites, apps=apps)


async def fail_wishes(conn: Connection, operation_ids: Sequence[str], most: int, first: timedelta) -> None:
    """Their operations failed: again after a while, so often at most."""
    await SQL.run(conn, "fail_wishes", operation_ids=list(operation_ids), most=most, first=first)


async def pause(conn: Connection, seconds: float) -> None:
    """Nothing more is begun for so long."""
    await SQL.run(conn, "pause", seconds=timedelta(seconds=seconds))


async def free_lost(conn: Connection) -> None:
    """Wishes whose operation has ended without anybody noting it are free again."""
    await SQL.run(conn, "lost_wishes")


async def clear_wishes(conn: Connection, app: str) -> int:
    """What was given up of an app, or failed before, may be tried again; on how many sites that is."""
    return await SQL.run(conn, "clear_wishes", app=app)


async def look_soon(conn: Connection) -> None:
    """All buckets are due."""
    await SQL.run(conn, "look_soon")


class Bucket(NamedTuple):
    """A part of all sites that is to be looked at, and since when."""

    number: int
    due_at: datetime


async def claim_bucket(conn: Connection, owner: str, lease: timedelta) -> Bucket | None:
    """A bucket that is due, for this replica alone as long as the lease lasts."""
    row = await SQL.row(conn, "claim_bucket", owner=owner, lease=lease)
    return Bucket(row["bucket"], row["due_at"]) if row else None


async def keep_bucket(conn: Connection, owner: str, bucket: int, lease: timedelta) -> None:
    """It is still being worked on."""
    await SQL.run(conn, "keep_bucket", owner=owner, bucket=bucket, lease=lease)


async def finish_bucket(conn: Connection, owner: str, bucket: Bucket, period: timedelta) -> None:
    """All of it was looked at: again after the period, or at once where that was wished meanwhile."""
    about = {"owner": owner, "bucket": bucket.number, "was_due": bucket.due_at}
    await SQL.run(conn, "finish_bucket", **about, period=period)


class Before(NamedTuple):
    """What is known of a site that is about to be changed."""

    group: str | None
    facts: dict[str, str]
    maintenance: bool


async def apps_with_triggers(conn: Connection) -> list[str]:
    """Apps that are applied again on events, as a person or any of their releases says."""
    return [row["app"] for row in await SQL.fetch(conn, "apps_with_triggers")]


async def sites_before(conn: Connection, names: Iterable[str]) -> dict[str, Before]:
    """What is known of these sites."""
    rows = await SQL.fetch(conn, "sites_before", names=list(names))
    return {row["name"]: Before(row["site_group"], row["facts"], row["maintenance"]) for row in rows}


async def sites_of_group(conn: Connection, group: str) -> list[str]:
    """The sites of a group."""
    return [row["name"] for row in await SQL.fetch(conn, "sites_of_group", group=group)]
