"""What lies prestaged on sites."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class PrestagedRow(NamedTuple):
    """All that lies prestaged of an app on a site, as an operation left it."""

    site: str
    app: str
    nth: int  # so many operations had ended there
    releases: str  # JSON
    at: datetime


async def put_prestaged(conn: Connection, rows: Sequence[PrestagedRow]) -> None:
    """Replace what was known (each app of a site once), unless that is newer."""
    sites, apps, counts, releases, ats = columns(rows, 5)
    await SQL.run(conn, "put_prestaged", sites=sites, apps=apps, counts=counts, releases=releases, ats=ats)


async def forget_prestaged(conn: Connection, gone: Sequence[tuple[str, int]]) -> None:
    """Of sites that are no more, by name and the sequence of their removal."""
    sites, seqs = columns(gone, 2)
    await SQL.run(conn, "forget_prestaged", sites=sites, seqs=seqs)


async def list_prestaged(
    conn: Connection, site: str, after: tuple[str, str], limit: int, app: str | None
) -> list[asyncpg.Record]:
    """Releases by app and version, after those."""
    named = {"site": site, "after_app": after[0], "after_version": after[1], "limit": limit, "app": app}
    return await SQL.fetch(conn, "list_prestaged", **named)
