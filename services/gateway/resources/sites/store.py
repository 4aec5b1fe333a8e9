"""Sites, and who holds them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from services.gateway.resources.gone import Gone
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))

FILTERS = ("name", "group", "labels", "q", "held", "availability", "maintenance", "managed", "alarms")


class SiteRow(NamedTuple):
    """A site as its last event said."""

    name: str
    group: str | None
    labels: dict[str, str]
    connections: dict[str, dict[str, Any]]
    managed: bool
    maintenance: bool
    simplex: bool
    facts: dict[str, str]
    secrets: str  # names, as words
    seq: int
    at: datetime


async def put_sites(conn: Connection, rows: Sequence[SiteRow]) -> None:
    """Add or replace, unless what is there is newer."""
    names, groups, labels, connections, managed, maintenance, simplex, facts, secrets, seqs, ats = columns(rows, 11)
    named = {"names": names, "groups": groups, "labels": labels, "connections": connections}
    more = {"managed": managed, "maintenance": maintenance, "simplex": simplex, "facts": facts, "secrets": secrets}
    await SQL.run(conn, "put_sites", **named, **more, seqs=seqs, ats=ats)


async def remove_sites(conn: Connection, rows: Sequence[Gone]) -> None:
    """Mark as removed, unless what is there is newer."""
    names, seqs, ats = columns(rows, 3)
    await SQL.run(conn, "remove_sites", names=names, seqs=seqs, ats=ats)


async def hold_sites(conn: Connection, names: Sequence[str], strategy_id: str, strategy: str, seq: int) -> None:
    """Note who holds these (different) sites, unless a newer hold is known."""
    named = {"strategy_id": strategy_id, "strategy": strategy, "seq": seq}
    await SQL.run(conn, "hold_sites", names=list(names), **named)


async def release_sites(conn: Connection, released: Sequence[tuple[str, int]]) -> None:
    """Free all sites of the strategies (different ids, sequence), except those held again since."""
    ids, seqs = columns(released, 2)
    await SQL.run(conn, "release_sites", strategy_ids=ids, seqs=seqs)


async def list_sites(conn: Connection, **where: Any) -> list[asyncpg.Record]:
    """Sites by name after `after`, with holder and deployments. Filters that are None do not count."""
    return await SQL.fetch(conn, "list_sites", **dict.fromkeys(FILTERS) | where)


async def known_sites(conn: Connection, names: Sequence[str]) -> set[str]:
    """Those of the sites that the read model shows."""
    return {row["name"] for row in await SQL.fetch(conn, "known_sites", names=list(names))}
