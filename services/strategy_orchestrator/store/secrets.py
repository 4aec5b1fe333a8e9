"""Which secrets there are. One typed method a query of secrets.sql."""

from collections.abc import Sequence
from pathlib import Path

from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("secrets.sql"))


async def put_secrets(conn: Connection, names: Sequence[str]) -> None:
    """Note secrets that were set; one that is known stays as it is."""
    await SQL.run(conn, "put_secrets", names=list(names))


async def remove_secrets(conn: Connection, names: Sequence[str]) -> None:
    """Forget secrets that are gone."""
    await SQL.run(conn, "remove_secrets", names=list(names))
