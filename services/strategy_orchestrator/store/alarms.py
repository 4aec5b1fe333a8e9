"""Alarms of sites. One typed method a query of alarms.sql."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("alarms.sql"))


class Alarm(NamedTuple):
    """What is wrong with a site, as it was said last."""

    severity: str
    management_affecting: bool
    text: str
    raised_at: datetime
    """When it was raised first since it was cleared."""
    raised_by: str


Row = tuple[str, str, str, bool, str, datetime, str]
"""A site, the name of an alarm, and what an `Alarm` is made of."""


async def alarms_of(conn: Connection, sites: Sequence[str]) -> dict[str, dict[str, Alarm]]:
    """By site, for those that there are, their alarms by name. The sites stay locked."""
    found: dict[str, dict[str, Alarm]] = {}
    for site, alarm, *facts in await SQL.fetch(conn, "alarms_of", sites=list(sites)):
        there = found.setdefault(site, {})
        if alarm is not None:
            there[alarm] = Alarm(*facts)
    return found


async def put_alarms(conn: Connection, rows: Sequence[Row]) -> None:
    """Add alarms, or what is said of them now."""
    sites, alarms, severities, affecting, texts, ats, bys = columns(rows, 7)
    about = {"sites": sites, "alarms": alarms, "severities": severities, "affecting": affecting, "texts": texts}
    await SQL.run(conn, "put_alarms", **about, ats=ats, bys=bys)


async def delete_alarms(conn: Connection, alarms: Sequence[tuple[str, str]]) -> None:
    """Forget alarms, by site and name."""
    sites, names = columns(alarms, 2)
    await SQL.run(conn, "delete_alarms", sites=sites, alarms=names)


async def put_counts(conn: Connection, counts: Mapping[str, int]) -> None:
    """How many alarms of each site affect its management."""
    await SQL.run(conn, "put_counts", sites=list(counts), counts=list(counts.values()))
