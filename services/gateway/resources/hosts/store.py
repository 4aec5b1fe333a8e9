"""The hosts that deployers install releases on."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class HostRow(NamedTuple):
    """What can be installed on a host."""

    name: str
    facts: str  # JSON
    at: datetime


async def put_hosts(conn: Connection, rows: Sequence[HostRow]) -> None:
    """Add or replace, unless what is there is newer."""
    names, facts, ats = columns(rows, 3)
    await SQL.run(conn, "put_hosts", names=names, facts=facts, ats=ats)


async def list_hosts(conn: Connection, after: str, limit: int) -> list[asyncpg.Record]:
    """Hosts by name."""
    return await SQL.fetch(conn, "list_hosts", after=after, limit=limit)
