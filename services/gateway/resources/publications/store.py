"""Publications: how far they are, and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class ProgressRow(NamedTuple):
    """How far a publication is."""

    id: str
    phase: str
    done_bytes: int
    total_bytes: int | None
    step: str | None
    step_done: int | None
    step_total: int | None
    waits: str | None  # JSON
    at: datetime


class EndRow(NamedTuple):
    """What became of a publication."""

    id: str
    state: str
    bundle_sha256: str | None
    app: str | None
    version: str | None
    faults: str  # JSON
    at: datetime


async def begin(conn: Connection, rows: Sequence[tuple[str, str | None, datetime]]) -> None:
    """Commands that were taken, with the digests of their bundles where these are known."""
    ids, bundles, ats = columns(rows, 3)
    await SQL.run(conn, "begin", ids=ids, bundles=bundles, ats=ats)


async def put_progress(conn: Connection, rows: Sequence[ProgressRow]) -> None:
    """How far publications are, unless they have ended. Each may be named once."""
    names = ("ids", "phases", "done", "totals", "steps", "step_done", "step_totals", "waits", "ats")
    await SQL.run(conn, "put_progress", **dict(zip(names, columns(rows, 9), strict=True)))


async def put_ends(conn: Connection, rows: Sequence[EndRow]) -> None:
    """What became of publications; what was said first stays. Each may be named once."""
    names = ("ids", "states", "bundles", "apps", "versions", "faults", "ats")
    await SQL.run(conn, "put_ends", **dict(zip(names, columns(rows, 7), strict=True)))


async def find_publication(conn: Connection, id_: str) -> asyncpg.Record | None:
    """One of them; None when nothing was said of it yet."""
    return await SQL.row(conn, "find_publication", id=id_)


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget what was said last before that time, at most so many; how many."""
    return len(await SQL.fetch(conn, "prune", before=before, limit=limit))
