"""Which drivers the hosts of deployers have. One typed method a query of drivers.sql."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("drivers.sql"))

Reported = tuple[str, Sequence[str], datetime]
"""A host, the names of its drivers, and when it said so."""


async def put_hosts(conn: Connection, reports: Sequence[Reported]) -> None:
    """Note what hosts say, unless something newer is known."""
    hosts, drivers, ats = columns([(host, " ".join(drivers), at) for host, drivers, at in reports], 3)
    await SQL.run(conn, "put_hosts", hosts=hosts, drivers=drivers, ats=ats)


async def hosts(conn: Connection, since: datetime) -> list[list[str]]:
    """The drivers of each host that has said something since."""
    return [row["drivers"] for row in await SQL.fetch(conn, "hosts", since=since)]
