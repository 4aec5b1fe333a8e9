"""Bundles that were uploaded, and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


class BundleRow(NamedTuple):
    """What became of a bundle."""

    bundle_sha256: str
    file_name: str
    state: str
    app: str | None
    version: str | None
    faults: str  # JSON
    at: datetime


async def put_bundles(conn: Connection, rows: Sequence[BundleRow]) -> None:
    """Note what became of bundles, unless something newer is known."""
    bundles, names, states, apps, versions, faults, ats = columns(rows, 7)
    named = {"bundles": bundles, "file_names": names, "states": states, "apps": apps, "versions": versions}
    await SQL.run(conn, "put_bundles", **named, faults=faults, ats=ats)


async def await_bundle(conn: Connection, bundle: str, file_name: str, at: datetime) -> None:
    """A bundle was uploaded and is being looked at by the catalog."""
    await SQL.run(conn, "await_bundle", bundle=bundle, file_name=file_name, at=at)


async def refuse_bundles(conn: Connection, refused: Sequence[tuple[str, str]], now: datetime) -> None:
    """The catalog did not take these bundles: (digest, faults as JSON)."""
    bundles, faults = columns(refused, 2)
    await SQL.run(conn, "refuse_bundles", bundles=bundles, faults=faults, now=now)


async def delete_bundles(conn: Connection, bundles: Sequence[str]) -> None:
    """Forget the bundles of releases that are gone."""
    await SQL.run(conn, "delete_bundles", bundles=list(bundles))


async def find_bundle(conn: Connection, bundle: str) -> asyncpg.Record | None:
    """The bundle with this digest."""
    return await SQL.row(conn, "find_bundle", bundle=bundle)
