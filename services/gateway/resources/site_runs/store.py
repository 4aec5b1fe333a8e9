"""Runs over the apps of a site."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class RunRow(NamedTuple):
    """A run as its last event said."""

    run_id: str
    site: str
    kind: str
    state: str
    items: str  # JSON
    cause: dict[str, Any] | None
    requested_by: str
    started_at: datetime
    finished_at: datetime | None
    nth: int


async def put_runs(conn: Connection, rows: Sequence[RunRow]) -> None:
    """Add or replace (different runs), unless what is there is newer."""
    names = ("ids", "sites", "kinds", "states", "items", "causes", "bys", "started", "finished", "nths")
    await SQL.run(conn, "put_runs", **dict(zip(names, columns(rows, 10), strict=True)))


async def list_runs(
    conn: Connection, before: int, limit: int, *, site: str | None = None, state: str | None = None
) -> list[asyncpg.Record]:
    """Runs, the newest first, before a position."""
    return await SQL.fetch(conn, "list_runs", before=before, limit=limit, site=site, state=state)


async def find_run(conn: Connection, run_id: str) -> asyncpg.Record | None:
    """One run."""
    return await SQL.row(conn, "find_run", run_id=run_id)


async def known_runs(conn: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the runs that the read model shows."""
    return {row["run_id"] for row in await SQL.fetch(conn, "known_runs", ids=list(ids))}


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget up to `limit` runs that ended before then; returns how many."""
    return await SQL.run(conn, "prune_runs", before=before, limit=limit)
