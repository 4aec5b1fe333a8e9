"""Groups of sites."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from services.gateway.resources.gone import Gone
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class GroupRow(NamedTuple):
    """A group as its last event said."""

    name: str
    description: str
    apply_type: str
    max_parallel: str
    seq: int
    at: datetime


async def put_groups(conn: Connection, rows: Sequence[GroupRow]) -> None:
    """Add or replace, unless what is there is newer."""
    names, descriptions, types, limits, seqs, ats = columns(rows, 6)
    named = {"names": names, "descriptions": descriptions, "apply_types": types, "max_parallels": limits}
    await SQL.run(conn, "put_groups", **named, seqs=seqs, ats=ats)


async def remove_groups(conn: Connection, rows: Sequence[Gone]) -> None:
    """Mark as removed, unless what is there is newer."""
    names, seqs, ats = columns(rows, 3)
    await SQL.run(conn, "remove_groups", names=names, seqs=seqs, ats=ats)


async def known_groups(conn: Connection, names: Sequence[str]) -> set[str]:
    """Those of the groups that the read model shows."""
    return {row["name"] for row in await SQL.fetch(conn, "known_groups", names=list(names))}


async def list_groups(conn: Connection, *, after: str, limit: int, name: str | None = None) -> list[asyncpg.Record]:
    """Groups by name after `after`, with their number of sites."""
    return await SQL.fetch(conn, "list_groups", after=after, limit=limit, name=name)
