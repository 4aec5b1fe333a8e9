"""Whether sites answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from shared.messages.deployer import SiteAvailability
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def put_availability(conn: Connection, told: Sequence[tuple[int, SiteAvailability]]) -> None:
    """What the deployer said of sites (each once), with their buckets, unless what is there is newer."""
    rows = [
        (s.site, s.availability, s.since, s.seen_at, s.checked_at, _cause(s), s.free_bytes, s.facts, bucket, s.nth)
        for bucket, s in told
    ]
    sites, availabilities, sinces, seen, checked, causes, free, facts, buckets, nths = columns(rows, 10)
    about = {"sites": sites, "availabilities": availabilities, "sinces": sinces, "seen": seen, "checked": checked}
    found = {"causes": causes, "free": free, "facts": facts, "buckets": buckets, "nths": nths}
    await SQL.run(conn, "put_availability", **about, **found)


def _cause(told: SiteAvailability) -> dict[str, str] | None:
    return told.cause.model_dump() if told.cause else None


async def put_checks(conn: Connection, checked: Mapping[int, datetime]) -> None:
    """When buckets had been checked, unless a later time is known."""
    await SQL.run(conn, "put_checks", buckets=list(checked), ats=list(checked.values()))
