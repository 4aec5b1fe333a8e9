"""Which deployments were made with other overrides than those of now: found out without asking anybody.

A deployment names the changes that it was made with, the levels name theirs: where these are the same nothing is read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from services.gateway.resources.overrides import store
from services.gateway.resources.overrides.merged import effective, named, since
from shared.process.db import Connection
from shared.values.layers import in_order

NONE = ("new", "removed")


async def drifted(conn: Connection, rows: Sequence[Mapping[str, Any] | asyncpg.Record]) -> list[list[dict[str, Any]]]:
    """For each deployment (site, app, status, overrides, set_now): by component, what has changed since it came."""
    asked = [_named(row) if _may_differ(row) else ([], []) for row in rows]
    wanted = {(change.place, change.nth) for pair in asked for some in pair for change in some}
    known = await store.changes(conn, wanted) if wanted else {}
    return [since(effective(ran, known), effective(now, known)) for ran, now in asked]


def _may_differ(row: Mapping[str, Any] | asyncpg.Record) -> bool:
    there = row["status"] not in NONE
    return there and sorted(row["overrides"] or ()) != sorted(row["set_now"] or ())


def _named(row: Mapping[str, Any] | asyncpg.Record) -> tuple[list[Any], list[Any]]:
    app, site = row["app"], row["site"]
    return named(row["overrides"] or (), app, site), named(in_order(row["set_now"] or ()), app, site)
