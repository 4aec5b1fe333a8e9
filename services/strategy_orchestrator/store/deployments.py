"""What the deployer said of sites, their single operations included. One typed method a query of deployments.sql."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.strategy_orchestrator.store.row import Row
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("deployments.sql"))


async def begin_operations(conn: Connection, operations: Sequence[tuple[str, str]]) -> None:
    """Note single operations by (site, operation id)."""
    sites, operation_ids = columns(operations, 2)
    await SQL.run(conn, "begin_operations", sites=sites, operation_ids=operation_ids)


async def end_operations(conn: Connection, operations: Sequence[tuple[str, str]]) -> list[Row]:
    """Forget single operations; a row for each that was known: site, operation, and who waits for the site."""
    sites, operation_ids = columns(operations, 2)
    return await SQL.fetch(conn, "end_operations", sites=sites, operation_ids=operation_ids)


async def put_deployments(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> dict[tuple[str, str], int]:
    """Note (site, app, version, status, operation id, nth, history as words); the next number of its site.state by site
    and app.

    An end that is older than what is noted changes nothing, and has no number.
    """
    names = ("sites", "apps", "versions", "statuses", "operation_ids", "counts", "histories")
    found = await SQL.fetch(conn, "put_deployments", **dict(zip(names, columns(rows, 7), strict=True)))
    return {(row["site"], row["app"]): row["sequence"] for row in found}
