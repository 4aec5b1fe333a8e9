"""Deployments: what runs where."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from services.gateway.resources.numbering import numbered
from services.gateway.resources.operations.store import FinishedRow
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def list_deployments(
    conn: Connection, after: tuple[str, str], *, changed: bool | None = None, rotated: bool | None = None, **where: Any
) -> list[asyncpg.Record]:
    """Deployments by (site, app) after `after`. Filters that are None do not count.

    `changed`: of those alone that were made with other changes of overrides than those of now; `rotated`: with other
    versions of secrets.
    """
    query = "list_rotated_deployments" if rotated else "list_changed_deployments" if changed else "list_deployments"
    return await SQL.fetch(conn, query, after_site=after[0], after_app=after[1], **where)


async def find(conn: Connection, site: str, app: str) -> asyncpg.Record | None:
    """One deployment, with the ids of the operation that made it so and of the one that runs."""
    return await SQL.row(conn, "find_deployment", site=site, app=app)


async def put_deployments(conn: Connection, rows: Sequence[FinishedRow]) -> set[str]:
    """What these operations left on their sites, each app of a site once; returns the operations that it now shows."""
    ids, sites, _, counts, *_ = columns(rows, 8)
    ends = [(row.status, row.ending) for row in rows]
    left, numbers = numbered(
        (e.app, e.version, status, e.strategy_id, e.at, e.overrides, e.secrets) for status, e in ends
    )
    names = ("apps", "versions", "statuses", "strategy_ids", "ats", "overrides", "secrets")
    named = dict(zip(names, columns(left, 7), strict=True))
    named |= {"operation_ids": ids, "sites": sites, "counts": counts, "lefts": numbers}
    return {row["operation_id"] for row in await SQL.fetch(conn, "put_deployments", **named)}
