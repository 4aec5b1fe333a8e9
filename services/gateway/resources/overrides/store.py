"""Overrides: what is set, its history, and the releases that it is set over."""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns
from shared.values.layers import LAST_CHANGES, Layer, Place

SQL = Queries(Path(__file__).with_name("queries.sql"))


class ChangeRow(NamedTuple):
    """One change, with all that was set after it."""

    app: str
    level: str
    target: str
    component: str
    nth: int
    given: dict[str, Any]
    enabled: bool | None
    namespace: str | None
    at: datetime
    by: str
    reason: str


async def put_changes(conn: Connection, rows: Sequence[ChangeRow]) -> None:
    """Add those that are not known; what is set is what the last of them says."""
    names = (
        "apps", "levels", "targets", "components", "nths", "given", "enabled", "namespaces", "ats", "bys", "reasons",
    )  # fmt: skip
    await SQL.run(conn, "put_changes", **dict(zip(names, columns(rows, 11), strict=True)))


async def list_set(
    conn: Connection, app: str, after: Sequence[str], limit: int, **where: str | None
) -> list[asyncpg.Record]:
    """What is set for an app, by level, target and component. Filters that are None do not count."""
    named = dict(zip(("after_level", "after_target", "after_component"), after, strict=True))
    return await SQL.fetch(conn, "list_set", app=app, limit=limit, **named, **where)


async def levels(
    conn: Connection, app: str, component: str, group: str | None, site: str | None
) -> list[asyncpg.Record]:
    """What is set for a component at each level that counts for a group or a site, the weakest first."""
    return await SQL.fetch(conn, "find_levels", app=app, component=component, group=group, site=site)


async def history(conn: Connection, place: Place, before: int, limit: int) -> list[asyncpg.Record]:
    """The changes at a place, newest first, from below `before`."""
    return await SQL.fetch(conn, "find_history", **place._asdict(), before=before, limit=limit)


async def changes(conn: Connection, asked: Collection[tuple[Place, int]]) -> dict[tuple[Place, int], Layer]:
    """What was set after these changes."""
    rows = [(*place, nth) for place, nth in asked]
    names = ("apps", "levels", "targets", "components", "nths")
    found = await SQL.fetch(conn, "find_changes", **dict(zip(names, columns(rows, 5), strict=True)))
    return {
        (Place(r["app"], r["level"], r["target"], r["component"]), r["nth"]): Layer(
            r["given"], r["enabled"], r["namespace"]
        )
        for r in found
    }


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget changes that were made before, but for the last of each place; returns how many."""
    return await SQL.run(conn, "prune_changes", before=before, keep=LAST_CHANGES, limit=limit)


async def group_of(conn: Connection, site: str) -> asyncpg.Record | None:
    """The group of a site; None where there is no such site."""
    return await SQL.row(conn, "find_group_of", site=site)


async def release(conn: Connection, app: str, site: str | None, version: str | None) -> asyncpg.Record | None:
    """Version and components of the release that is asked for, that runs on the site, or that was published last."""
    return await SQL.row(conn, "find_release_under", app=app, site=site, version=version)
