"""How apps behave, which releases failed, and what is not as it was left."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class BehaviourRow(NamedTuple):
    """What people said of an app, as its last event says."""

    app: str
    switches: dict[str, Any]
    reason: str
    at: datetime
    by: str
    nth: int


class FailedRow(NamedTuple):
    """How a release stands that failed."""

    app: str
    version: str
    failures: int
    barred: bool
    sites: str  # JSON
    cleared_by: str
    at: datetime
    nth: int


class DriftRow(NamedTuple):
    """What was found of an app on a site, or that it is over."""

    site: str
    app: str
    version: str | None
    components: str  # JSON
    follows: str
    over: bool
    at: datetime
    nth: int

    def is_newer(self, other: "DriftRow") -> bool:
        """Whether it is newer: by number where both have one, which deployers of before do not tell."""
        return self.nth >= other.nth if min(self.nth, other.nth) > 1 else self.at >= other.at


class CauseRow(NamedTuple):
    """An operation that the deployer began by itself, and why."""

    operation_id: str
    site: str
    app: str
    kind: str
    version: str | None
    because: dict[str, Any]
    at: datetime


async def put_behaviours(conn: Connection, rows: Sequence[BehaviourRow]) -> None:
    """Add or replace (different apps), unless what is there is newer."""
    names = ("apps", "switches", "reasons", "ats", "bys", "nths")
    await SQL.run(conn, "put_behaviours", **dict(zip(names, columns(rows, 6), strict=True)))


async def put_failed(conn: Connection, rows: Sequence[FailedRow]) -> None:
    """Add or replace (different releases), unless what is there is newer."""
    names = ("apps", "versions", "failures", "barred", "sites", "cleared", "ats", "nths")
    await SQL.run(conn, "put_failed", **dict(zip(names, columns(rows, 8), strict=True)))


async def put_drift(conn: Connection, rows: Sequence[DriftRow]) -> None:
    """Add or replace (each app of a site once), unless what is there is newer."""
    names = ("sites", "apps", "versions", "components", "follows", "over", "ats", "nths")
    await SQL.run(conn, "put_drift", **dict(zip(names, columns(rows, 8), strict=True)))


async def note_causes(conn: Connection, rows: Sequence[CauseRow]) -> None:
    """Keep with operations (each once) why they were begun."""
    names = ("ids", "sites", "apps", "kinds", "versions", "becauses", "ats")
    await SQL.run(conn, "note_causes", **dict(zip(names, columns(rows, 7), strict=True)))


async def list_behaviours(conn: Connection, after: str, limit: int, app: str | None = None) -> list[asyncpg.Record]:
    """What people said of apps, by app after `after`."""
    return await SQL.fetch(conn, "list_behaviours", after=after, limit=limit, app=app)


async def list_failed(
    conn: Connection, after: tuple[str, str], limit: int, app: str | None = None
) -> list[asyncpg.Record]:
    """Releases that failed, by app and version after those."""
    return await SQL.fetch(conn, "list_failed", app_after=after[0], version_after=after[1], limit=limit, app=app)


async def list_drift(
    conn: Connection, after: tuple[str, str], limit: int, *, site: str | None, app: str | None
) -> list[asyncpg.Record]:
    """What is not as it was left now, by site and app after those."""
    where = {"site": site, "app": app}
    return await SQL.fetch(conn, "list_drift", site_after=after[0], app_after=after[1], limit=limit, **where)
