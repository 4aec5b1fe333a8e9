"""The deployer's rows of secrets: sealed values only."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from services.deployer.secrets.rotation import Kept
from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("queries.sql"))


class Stored(NamedTuple):
    """A secret that was set: its version, and the number of its next event."""

    version: int
    sequence: int


class Users(NamedTuple):
    """Sites that name a secret, the first of them by name."""

    first: list[str]
    total: int


async def set_secret(conn: Connection, name: str, sealed: str, by: str, now: datetime) -> Stored:
    """Keep a sealed value in place of the one that was there."""
    (row,) = await SQL.fetch(conn, "set_secret", name=name, sealed=sealed, by=by, now=now)
    return Stored(row["version"], row["sequence"])


async def remove_secret(conn: Connection, name: str, by: str, now: datetime) -> int | None:
    """Forget a value; the number of the event that says so, None where there is no such secret."""
    sequence: int | None = await SQL.value(conn, "remove_secret", name=name, by=by, now=now)
    return sequence


async def known_secrets(conn: Connection, names: Collection[str]) -> set[str]:
    """Those of the names under which a value is kept."""
    return {row["name"] for row in await SQL.fetch(conn, "known_secrets", names=list(names))}


class SealedSecret(NamedTuple):
    """A value as it is kept, and which version of its secret it is."""

    sealed: str
    kept: Kept


async def find_sealed(conn: Connection, names: Collection[str]) -> dict[str, SealedSecret]:
    """By name, the sealed values of those that are known."""
    rows = await SQL.fetch(conn, "find_sealed", names=list(names))
    return {row["name"]: SealedSecret(row["sealed"], Kept(row["version"], row["changed_at"])) for row in rows}


async def secret_versions(conn: Connection, names: Collection[str]) -> dict[str, Kept]:
    """By name, which version is there, and since when."""
    rows = await SQL.fetch(conn, "secret_versions", names=list(names))
    return {row["name"]: Kept(row["version"], row["changed_at"]) for row in rows}


async def sites_using(conn: Connection, name: str, limit: int) -> Users:
    """Which sites name a secret, at most `limit` of them, and how many there are."""
    rows = await SQL.fetch(conn, "sites_using", name=name, limit=limit)
    return Users([row["name"] for row in rows], rows[0]["total"] if rows else 0)
