"""Releases."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns
from shared.versions import spelt_as

SQL = Queries(Path(__file__).with_name("queries.sql"))


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
    max_parallel: int | None
    requires: str  # JSON
    rules: str  # JSON
    images: str  # JSON
    notices: str  # JSON
    signature: str | None  # JSON
    origin: str | None  # JSON
    published_at: datetime
    seq: int
    at: datetime


class PreparationRow(NamedTuple):
    """What is known of the preparation of a release."""

    app: str
    version: str
    state: str
    bytes: int | None
    site_bytes: int | None
    content: str  # JSON
    notes: str  # JSON
    cause: str | None  # JSON
    changed_at: datetime
    seq: int


class WithdrawnRow(NamedTuple):
    """A release that was withdrawn."""

    app: str
    version: str
    seq: int
    at: datetime


class DeletionRow(NamedTuple):
    """A release that is to be deleted, or was found to be needed."""

    app: str
    version: str
    deletion: str  # JSON


async def put_deletions(conn: Connection, rows: Sequence[DeletionRow]) -> None:
    """What is known of the deletions of these releases."""
    apps, versions, deletions = columns(rows, 3)
    await SQL.run(conn, "put_deletions", apps=apps, versions=versions, deletions=deletions)


async def sites_with(conn: Connection, app: str, version: str) -> list[str]:
    """Where it runs, as far as is known here; at most eleven."""
    return [row["site"] for row in await SQL.fetch(conn, "sites_with", app=app, version=version)]


async def put_releases(conn: Connection, rows: Sequence[ReleaseRow]) -> None:
    """Add or replace, unless what is there is newer."""
    c = columns(rows, 19)
    texts = dict(zip(("apps", "versions", "ids", "schemes", "descriptions", "bundles"), c[:6], strict=True))
    facts = ("sizes", "upgrades", "components", "parallel", "requires", "rules", "images", "notices", "signatures")
    rest = (*facts, "origins", "published", "seqs", "ats")
    await SQL.run(conn, "put_releases", **texts, **dict(zip(rest, c[6:], strict=True)))


async def withdraw_releases(conn: Connection, rows: Sequence[WithdrawnRow]) -> None:
    """Mark as withdrawn, unless what is there is newer."""
    apps, versions, seqs, ats = columns(rows, 4)
    await SQL.run(conn, "withdraw_releases", apps=apps, versions=versions, seqs=seqs, ats=ats)


async def delete_releases(conn: Connection, names: Sequence[tuple[str, str]]) -> None:
    """Forget releases, by app and version, with what was prepared of them."""
    apps, versions = columns(names, 2)
    await SQL.run(conn, "delete_releases", apps=apps, versions=versions)
    await SQL.run(conn, "delete_preparations", apps=apps, versions=versions)
    await SQL.run(conn, "forget_prestaged", apps=apps, versions=versions)


async def put_preparations(conn: Connection, rows: Sequence[PreparationRow]) -> None:
    """Add or replace, unless what is there is newer. Each may be named once."""
    names = ("apps", "versions", "states", "sizes", "site_sizes", "contents", "notes", "causes", "changed", "seqs")
    await SQL.run(conn, "put_preparations", **dict(zip(names, columns(rows, 10), strict=True)))


async def find_content(conn: Connection, app: str, version: str) -> asyncpg.Record | None:
    """What was prepared of a release; None = nobody has asked for that."""
    return await SQL.row(conn, "find_content", app=app, version=version)


async def list_releases(
    conn: Connection, before: tuple[datetime, str, str], limit: int, **where: Any
) -> list[asyncpg.Record]:
    """Releases, newest first, before (published_at, app, version). Filters that are None do not count."""
    filters = {"app": None, "version": None, "state": None}
    at, app, version = before
    named = {"before_at": at, "before_app": app, "before_version": version, "limit": limit}
    return await SQL.fetch(conn, "list_releases", **named, **filters | where)


async def as_published(conn: Connection, app: str, version: str) -> str:
    """How a release of the app is written whose version compares as equal to this one; as given when there is none."""
    rows = await SQL.fetch(conn, "list_versions", app=app)
    return spelt_as(rows[0]["scheme"], version, [row["version"] for row in rows]) or version if rows else version
