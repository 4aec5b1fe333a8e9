"""Which strategy holds which site. One typed method a query of holds.sql."""

from pathlib import Path
from typing import NamedTuple

from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("holds.sql"))


class NotHeld(NamedTuple):
    """A site that could not be held: who holds it, None = it is gone."""

    site: str
    held_by: str | None


async def hold_sites(conn: Connection, strategy_id: str) -> list[str]:
    """Hold the sites of all waiting steps that nobody holds; returns their names."""
    return [row["site"] for row in await SQL.fetch(conn, "hold_sites", strategy_id=strategy_id)]


async def sites_not_held(conn: Connection, strategy_id: str) -> list[NotHeld]:
    """Up to 20 sites of waiting steps that could not be held."""
    return [NotHeld._make(row) for row in await SQL.fetch(conn, "sites_not_held", strategy_id=strategy_id)]


async def release_sites(conn: Connection, strategy_id: str) -> int:
    """Let go of every site; returns how many."""
    return await SQL.run(conn, "release_sites", strategy_id=strategy_id)
