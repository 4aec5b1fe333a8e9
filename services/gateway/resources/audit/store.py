"""The audit: who did what."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class AuditRow(NamedTuple):
    """Who does what; `result` is `sent` for a command, whose answer will replace it."""

    actor: str
    role: str
    action: str
    target: str
    about: str
    command_id: str | None
    result: str


async def put(conn: Connection, rows: Sequence[AuditRow], now: datetime) -> None:
    """Note who does what."""
    names = ("actors", "roles", "actions", "targets", "abouts", "ids", "results")
    await SQL.run(conn, "put_audit", **dict(zip(names, columns(rows, 7), strict=True)), now=now)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries of the audit; None = any. `about` is looked for in names and paths, whatever its case."""

    actor: str | None = None
    about: str | None = None
    action: str | None = None
    result: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def list_audit(conn: Connection, before: int, limit: int, wanted: AuditFilter) -> list[asyncpg.Record]:
    """The audit, newest first, with ids below `before`."""
    return await SQL.fetch(conn, "list_audit", before=before, limit=limit, **asdict(wanted))


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget up to `limit` entries from before `before`; returns how many."""
    return await SQL.run(conn, "prune_audit", before=before, limit=limit)
