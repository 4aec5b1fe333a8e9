"""The rows of publications that have not ended: one typed method a query."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from services.catalog.publication.domain import Publication
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def add_publications(conn: Connection, new: Sequence[tuple[str, Publication]], now: datetime) -> None:
    """Remember publications, each with the digest of its bundle, until their bundles are settled."""
    rows = [(p.id, sha256, p.app or "", p.version or "", p.correlation_id, p.actor) for sha256, p in new]
    names = ("ids", "digests", "apps", "versions", "correlations", "actors")
    await SQL.run(conn, "add_publications", **dict(zip(names, columns(rows, 6), strict=True)), now=now)


async def end_publications(conn: Connection, sha256: str) -> list[Publication]:
    """Those that waited for this bundle; they are forgotten with it."""
    rows = await SQL.fetch(conn, "end_publications", sha256=sha256)
    return [Publication(**dict(row)) for row in rows]
