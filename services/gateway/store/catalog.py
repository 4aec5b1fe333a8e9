"""Releases and the bundles they came in."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from shared.messages.catalog import StorageMeasured
from shared.process.db import Connection, Queries, columns
from shared.versions import spelt_as

SQL = Queries(Path(__file__).with_suffix(".sql"))


class ReleaseRow(NamedTuple):
    """A release that is available."""

    app: str
    version: str
    release_id: str
    scheme: str
    description: str
    bundle_sha256: str
    bundle_bytes: int
    upgrades_from: str | None  # JSON
    components: str  # JSON
    requires: str  # JSON
    published_at: datetime
    seq: int
    at: datetime


class WithdrawnRow(NamedTuple):
    """A release that was withdrawn."""

    app: str
    version: str
    seq: int
    at: datetime


class BundleRow(NamedTuple):
    """What became of a bundle."""

    bundle_sha256: str
    file_name: str
    state: str
    app: str | None
    version: str | None
    faults: str  # JSON
    at: datetime


async def put_releases(conn: Connection, rows: Sequence[ReleaseRow]) -> None:
    """Add or replace, unless what is there is newer."""
    c = columns(rows, 13)
    texts = dict(zip(("apps", "versions", "ids", "schemes", "descriptions", "bundles"), c[:6], strict=True))
    rest = ("sizes", "upgrades", "components", "requires", "published", "seqs", "ats")
    await SQL.run(conn, "put_releases", **texts, **dict(zip(rest, c[6:], strict=True)))


async def withdraw_releases(conn: Connection, rows: Sequence[WithdrawnRow]) -> None:
    """Mark as withdrawn, unless what is there is newer."""
    apps, versions, seqs, ats = columns(rows, 4)
    await SQL.run(conn, "withdraw_releases", apps=apps, versions=versions, seqs=seqs, ats=ats)


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


async def find_bundle(conn: Connection, bundle: str) -> asyncpg.Record | None:
    """The bundle with this digest."""
    return await SQL.row(conn, "find_bundle", bundle=bundle)


async def list_releases(
    conn: Connection, before: tuple[datetime, str, str], limit: int, **where: Any
) -> list[asyncpg.Record]:
    """Releases, newest first, before (published_at, app, version). Filters that are None do not count."""
    filters = {"app": None, "version": None, "state": None}
    at, app, version = before
    named = {"before_at": at, "before_app": app, "before_version": version, "limit": limit}
    return await SQL.fetch(conn, "list_releases", **named, **filters | where)


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


async def put_storage(conn: Connection, said: StorageMeasured, seq: int) -> None:
    """How much the bundles take, unless something newer is known."""
    facts = said.model_dump(exclude={"store", "limit_bytes"})
    await SQL.run(conn, "put_storage", **facts, seq=seq)


async def find_storage(conn: Connection) -> asyncpg.Record | None:
    """How much the bundles take; None = nobody has said so yet."""
    return await SQL.row(conn, "find_storage")


async def as_published(conn: Connection, app: str, version: str) -> str:
    """How a release of the app is written whose version compares as equal to this one; as given when there is none."""
    rows = await SQL.fetch(conn, "list_versions", app=app)
    return spelt_as(rows[0]["scheme"], version, [row["version"] for row in rows]) or version if rows else version


async def list_apps(conn: Connection, after: str, limit: int) -> list[asyncpg.Record]:
    """Apps by name, with `releases` as a list of [scheme, version, state]."""
    return await SQL.fetch(conn, "list_apps", after=after, limit=limit)
