"""What the deployer said of sites, their single operations included. One typed method a query of deployments.sql."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("deployments.sql"))


class EndedOperation(NamedTuple):
    """A single operation that was known to run; the strategy and the step that hold its site, if any."""

    operation_id: str
    held_by: str | None
    held_position: int | None


class DeploymentEnd(NamedTuple):
    """What runs of an app on a site since an operation ended there."""

    site: str
    app: str
    version: str | None
    status: str
    operation_id: str
    nth: int
    """So many operations had ended there, by the deployer's count."""
    history: str | None
    """As words."""


async def begin_operations(conn: Connection, operations: Iterable[tuple[str, str]]) -> None:
    """Note single operations by (site, operation id), of each site the last; none that is known to have ended."""
    sites, operation_ids = columns(list(dict(operations).items()), 2)
    await SQL.run(conn, "begin_operations", sites=sites, operation_ids=operation_ids)


async def end_operations(
    conn: Connection, operations: Sequence[tuple[str, str]], now: datetime
) -> list[EndedOperation]:
    """Forget single operations by (site, operation id); those that were known."""
    sites, operation_ids = columns(operations, 2)
    rows = await SQL.fetch(conn, "end_operations", sites=sites, operation_ids=operation_ids, now=now)
    return [EndedOperation._make(row) for row in rows]


async def prune_ended(conn: Connection, before: datetime, limit: int) -> int:
    """Forget that operations ended before, whose beginning nobody tells again; how many."""
    return await SQL.run(conn, "prune_ended", before=before, limit=limit)


async def find_news(conn: Connection, ends: Iterable[tuple[str, str, str, int]]) -> set[str]:
    """Of ends by (site, app, operation id, count), the operations whose end is news there."""
    sites, apps, operation_ids, counts = columns(list(ends), 4)
    rows = await SQL.fetch(conn, "find_news", sites=sites, apps=apps, operation_ids=operation_ids, counts=counts)
    return {row["operation_id"] for row in rows}


async def put_deployments(conn: Connection, ends: Iterable[DeploymentEnd]) -> dict[tuple[str, str], int]:
    """Note what runs now; the next number of its site.state by (site, app).

    An end that is older than what is noted changes nothing, and has no number.
    """
    names = ("sites", "apps", "versions", "statuses", "operation_ids", "counts", "histories")
    found = await SQL.fetch(conn, "put_deployments", **dict(zip(names, columns(list(ends), 7), strict=True)))
    return {(row["site"], row["app"]): row["sequence"] for row in found}
