"""Secrets by name, and the public keys that they are sealed to. No value is ever here."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from services.gateway.resources.gone import Gone
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class SecretRow(NamedTuple):
    """A secret as its last event said."""

    name: str
    version: int
    at: datetime
    by: str
    seq: int


async def put_secrets(conn: Connection, rows: Sequence[SecretRow]) -> None:
    """Add or replace (different names), unless what is there is newer."""
    names = ("names", "versions", "ats", "bys", "seqs")
    await SQL.run(conn, "put_secrets", **dict(zip(names, columns(rows, 5), strict=True)))


async def remove_secrets(conn: Connection, rows: Sequence[Gone]) -> None:
    """Mark as removed, unless what is there is newer."""
    names, seqs, ats = columns(rows, 3)
    await SQL.run(conn, "remove_secrets", names=names, seqs=seqs, ats=ats)


async def list_secrets(conn: Connection, *, after: str, limit: int, name: str | None = None) -> list[asyncpg.Record]:
    """Secrets by name after `after`, with the number of sites that name each."""
    return await SQL.fetch(conn, "list_secrets", after=after, limit=limit, name=name)


async def known_secrets(conn: Connection, names: Sequence[str]) -> set[str]:
    """Those of the names under which a secret is kept."""
    return {row["name"] for row in await SQL.fetch(conn, "known_secrets", names=list(names))}


async def versions_of(conn: Connection, names: Sequence[str]) -> dict[str, int]:
    """By name, which version is there; of one that was removed none."""
    return {row["name"]: row["version"] for row in await SQL.fetch(conn, "secret_versions", names=list(names))}


async def put_sealing_key(conn: Connection, owner: str, public_key: str, at: datetime) -> None:
    """What secrets for an owner are sealed to, unless what is there is newer."""
    await SQL.run(conn, "put_sealing_key", owner=owner, public_key=public_key, at=at)


async def find_sealing_key(conn: Connection, owner: str) -> str | None:
    """The public key of an owner, if it has said one."""
    key: str | None = await SQL.value(conn, "find_sealing_key", owner=owner)
    return key
