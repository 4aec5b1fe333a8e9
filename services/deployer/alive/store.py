"""What is known of sites, and who asks which of them: each query typed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from services.deployer.alive.judgement import Condition
from shared.messages.deployer import Cause
from shared.messages.words import Availability
from shared.process.db import Connection, Queries, columns
from shared.wire.topics import LIVE

RETELL = timedelta(days=LIVE["deployer.events"].days) / 2
"""Each site is told again after so long, changed or not: who reads the topic anew is to know them all."""

SQL = Queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class Checked:
    """A site that is to be asked, with what is known of it."""

    site: str
    connections: Mapping[str, Mapping[str, Any]]
    """By driver that reaches it, what that driver must know."""
    known: Condition
    nth: int
    bucket: int
    ask_at: datetime | None
    """It is asked out of turn; who has done so says that it was this time."""
    wanted: bool
    """Somebody wants to know: it is told even if nothing has changed."""
    deployed: frozenset[str] = frozenset()
    """Drivers of what runs there, where one of the site's wants to know."""


class Bucket(NamedTuple):
    """Sites that this replica asks now, the time in the database, and when all of them were told."""

    bucket: int
    due_at: datetime
    now: datetime
    retold_at: datetime

    @property
    def retells(self) -> bool:
        """Whether all its sites are told this time."""
        return self.now - self.retold_at >= RETELL


class Found(NamedTuple):
    """A site of which something new is kept: what it was, and the number of the change."""

    was: str
    nth: int


async def ask_changed(conn: Connection, connections: Mapping[str, Any], now: datetime) -> None:
    """Have those of the sites asked soon that are not kept with these connections. Before they are."""
    named = {"names": list(connections), "connections": list(connections.values())}
    await SQL.run(conn, "ask_changed", **named, now=now)


async def forget_sites(conn: Connection, names: Sequence[str], now: datetime) -> None:
    """Nothing is known of these sites any more."""
    await SQL.run(conn, "forget_sites", names=list(names), now=now)


async def want_checks(conn: Connection, sites: Sequence[str], now: datetime) -> set[str]:
    """Have sites asked as soon as may be; which of them there are."""
    return {row["site"] for row in await SQL.fetch(conn, "want_checks", sites=list(sites), now=now)}


async def claim_bucket(
    conn: Connection, owner: str, offline: bool, period: timedelta, lease: timedelta
) -> Bucket | None:
    """A bucket that is due, for this replica alone as long as the lease lasts."""
    row = await SQL.row(conn, "claim_bucket", owner=owner, offline=offline, period=period, lease=lease)
    return Bucket(*row) if row else None


async def keep_bucket(conn: Connection, owner: str, offline: bool, bucket: int, lease: timedelta) -> None:
    """It is still being worked on."""
    await SQL.run(conn, "keep_bucket", owner=owner, offline=offline, bucket=bucket, lease=lease)


async def finish_bucket(
    conn: Connection, owner: str, offline: bool, bucket: Bucket, due_at: datetime, checked_at: datetime
) -> bool:
    """All its sites were asked; False where it was taken from us meanwhile."""
    named = {"owner": owner, "offline": offline, "bucket": bucket.bucket, "due_at": due_at, "checked_at": checked_at}
    return bool(await SQL.fetch(conn, "finish_bucket", **named, retold=bucket.retells))


async def leave_buckets(conn: Connection, owner: str) -> None:
    """This replica asks none any more."""
    await SQL.run(conn, "leave_buckets", owner=owner)


async def sites_of_bucket(
    conn: Connection, bucket: int, offline: bool, after: str, limit: int, heeding: Sequence[str]
) -> list[Checked]:
    """The sites of a bucket that are offline, or those that are not, by name after one.

    `heeding`: drivers that want to know whether anything of theirs was deployed.
    """
    named = {"bucket": bucket, "offline": offline, "after": after, "limit": limit, "heeding": list(heeding)}
    return [_checked(row) for row in await SQL.fetch(conn, "sites_of_bucket", **named)]


async def claim_soon(conn: Connection, limit: int, lease: timedelta, heeding: Sequence[str]) -> list[Checked]:
    """Sites that are asked out of turn."""
    rows = await SQL.fetch(conn, "claim_soon", limit=limit, lease=lease, heeding=list(heeding))
    return [_checked(row) for row in rows]


def _checked(row: asyncpg.Record) -> Checked:
    site, connections, since, availability, seen_at, failed, cause, free_bytes, facts, *rest = row
    nth, bucket, ask_at, wanted, deployed = rest
    because = Cause(**cause) if cause else None
    known = Condition(since, Availability(availability), seen_at, failed, because, free_bytes, facts)
    return Checked(site, connections, known, nth, bucket, ask_at, wanted, frozenset(deployed))


async def save_conditions(conn: Connection, found: Iterable[tuple[Checked, Condition]]) -> dict[str, Found]:
    """Keep what was found, unless something newer is known; by site, what was kept."""
    rows = [
        (c.site, c.nth, n.availability, n.since, n.seen_at, n.failed, _cause(n), n.free_bytes, dict(n.facts))
        for c, n in found
    ]
    sites, nths, availabilities, sinces, seen, failed, causes, free, facts = columns(rows, 9)
    about = {"sites": sites, "nths": nths, "availabilities": availabilities, "sinces": sinces, "seen": seen}
    said = {"failed": failed, "causes": causes, "free": free, "facts": facts}
    kept = await SQL.fetch(conn, "save_conditions", **about, **said)
    return {row["site"]: Found(row["was"], row["nth"]) for row in kept}


def _cause(condition: Condition) -> dict[str, str] | None:
    return condition.cause.model_dump() if condition.cause else None


async def clear_asked(conn: Connection, asked: Iterable[Checked]) -> None:
    """These were asked out of turn, and are no longer to be."""
    sites, times = columns([(each.site, each.ask_at) for each in asked], 2)
    await SQL.run(conn, "clear_asked", sites=sites, asked=times)


async def forget_all(conn: Connection, limit: int, now: datetime) -> list[asyncpg.Record]:
    """So many of the sites of which something is known are unknown now; as rows of what is told of them."""
    return await SQL.fetch(conn, "forget_all", limit=limit, now=now)
