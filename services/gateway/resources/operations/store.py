"""Operations on single sites, those of strategies included."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from services.gateway.resources.numbering import numbered
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class QueuedRow(NamedTuple):
    """An operation that the deployer took."""

    operation_id: str
    site: str
    app: str
    kind: str
    to_version: str | None
    requested_at: datetime
    publication: str | None


class ProgressRow(NamedTuple):
    """An operation under way."""

    operation_id: str
    site: str
    app: str
    kind: str
    phase: str
    percent: int
    plan: str  # JSON
    doing: str  # JSON
    strategy_id: str | None
    began_at: datetime  # when it was heard of first
    at: datetime
    publication: str | None

    def after(self, other: "ProgressRow | None") -> "ProgressRow":
        """As the table would be after both: the later word, with what only the other one says."""
        if other is None:
            return self
        last, first = (self, other) if other.at <= self.at else (other, self)
        return last._replace(
            plan=first.plan if last.plan == "[]" else last.plan,
            began_at=min(last.began_at, first.began_at),
            publication=last.publication or first.publication,
        )


class Ending(NamedTuple):
    """How an operation ended. Those of a strategy that ended at the same moment mostly share it."""

    app: str
    kind: str
    state: str
    from_version: str | None
    to_version: str | None
    version: str | None
    recovered: bool | None
    cause: str | None  # JSON
    plan: str  # JSON
    phases: str  # JSON
    last_lines: str  # JSON
    strategy_id: str | None
    at: datetime
    overrides: str | None = None  # what was set when the release came that runs now; names hold no spaces
    secrets: str | None = None  # JSON: by name, with which versions of secrets it was deployed


class FinishedRow(NamedTuple):
    """An operation that ended."""

    operation_id: str
    site: str
    seconds: float
    nth: int  # so many operations had ended on its site
    status: str  # in which it left the deployment
    ending: Ending
    fetched_bytes: int = 0
    prestaged: str | None = None  # JSON


async def queue(conn: Connection, rows: Sequence[QueuedRow]) -> None:
    """Add what is not known yet."""
    ids, sites, apps, kinds, versions, requested, publications = columns(rows, 7)
    named = {"ids": ids, "sites": sites, "apps": apps, "kinds": kinds}
    named |= {"to_versions": versions, "requested": requested, "publications": publications}
    await SQL.run(conn, "queue_operations", **named)


async def progress(conn: Connection, rows: Sequence[ProgressRow]) -> None:
    """Move on, unless they ended or are further already."""
    what = ("ids", "sites", "apps", "kinds", "phases", "percents", "plans", "doings")
    names = (*what, "strategy_ids", "began_ats", "ats", "publications")
    await SQL.run(conn, "progress_operations", **dict(zip(names, columns(rows, 12), strict=True)))


async def finish(conn: Connection, rows: Sequence[FinishedRow]) -> set[str]:
    """End them, each once; returns the ids of those that had not ended before."""
    ids, sites, seconds, _, _, endings, fetched, _ = columns(rows, 8)
    told, numbers = numbered(endings)
    first = ("apps", "kinds", "states", "from_versions", "to_versions", "versions", "recovered")
    rest = ("causes", "plans", "phases", "last_lines", "strategy_ids", "ats")
    named = dict(zip(first + rest, columns([ending[:13] for ending in told], 13), strict=True))
    ended = await SQL.fetch(
        conn, "finish_operations", ids=ids, sites=sites, seconds=seconds, endings=numbers, fetched=fetched, **named
    )
    return {row["operation_id"] for row in ended}


async def find_all(conn: Connection, before: int, limit: int, **where: Any) -> list[asyncpg.Record]:
    """Operations, newest first, from below the position `before`. Filters that are None do not count."""
    filters = {"site": None, "app": None, "state": None, "strategy_id": None}
    return await SQL.fetch(conn, "list_operations", before=before, limit=limit, **filters | where)


async def find(conn: Connection, operation_id: str) -> asyncpg.Record | None:
    """One operation, with what it said last."""
    return await SQL.row(conn, "find_operation", operation_id=operation_id)


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget up to `limit` operations of which nothing was heard since `before`; returns how many."""
    return await SQL.run(conn, "prune_operations", before=before, limit=limit)
