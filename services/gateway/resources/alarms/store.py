"""Alarms of sites."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from services.gateway.resources.gone import Gone
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class AlarmRow(NamedTuple):
    """An alarm as its last event said."""

    site: str
    alarm: str
    severity: str
    management_affecting: bool
    text: str
    raised_at: datetime
    raised_by: str
    seq: int


class ClearedRow(NamedTuple):
    """An alarm that is over."""

    site: str
    alarm: str
    seq: int


async def put_alarms(conn: Connection, rows: Sequence[AlarmRow]) -> None:
    """Add or replace (different ones), unless what is there is newer."""
    sites, alarms, severities, affecting, texts, ats, bys, seqs = columns(rows, 8)
    about = {"sites": sites, "alarms": alarms, "severities": severities, "affecting": affecting, "texts": texts}
    await SQL.run(conn, "put_alarms", **about, ats=ats, bys=bys, seqs=seqs)


async def clear_alarms(conn: Connection, rows: Sequence[ClearedRow]) -> None:
    """Mark as over (different ones), unless what is there is newer."""
    sites, alarms, seqs = columns(rows, 3)
    await SQL.run(conn, "clear_alarms", sites=sites, alarms=alarms, seqs=seqs)


async def clear_all_alarms(conn: Connection, sites: Sequence[Gone]) -> None:
    """Mark those of sites as over that were removed (each once)."""
    names, seqs, _ = columns(sites, 3)
    await SQL.run(conn, "clear_all_alarms", sites=names, seqs=seqs)


async def list_alarms(conn: Connection, after: tuple[str, str], limit: int, **where: Any) -> list[asyncpg.Record]:
    """Alarms by site and name, after those. Filters that are None do not count."""
    filters = {"site": None, "severity": None, "management_affecting": None} | where
    return await SQL.fetch(conn, "list_alarms", site_after=after[0], alarm_after=after[1], limit=limit, **filters)


async def known_alarms(conn: Connection, alarms: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the alarms, by site and name, that the read model shows."""
    sites, names = columns(alarms, 2)
    return {(row["site"], row["alarm"]) for row in await SQL.fetch(conn, "known_alarms", sites=sites, alarms=names)}
