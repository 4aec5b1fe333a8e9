"""The rows of preparations: one typed method a query."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from services.catalog.domain import Release
from services.catalog.preparation.domain import Preparation, State
from shared.messages.base import Cause
from shared.messages.catalog import ContentItem, ContentNote, ReleasePrepared
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def lock_preparations(conn: Connection, digests: Iterable[str]) -> dict[str, Preparation]:
    """The known ones by the digests of their bundles, locked until the transaction ends."""
    rows = await SQL.fetch(conn, "lock_preparations", digests=list(digests))
    return {
        row["bundle_sha256"]: Preparation(
            State(row["state"]),
            tuple(row["on_behalf"]),
            Cause(**row["cause"]) if row["cause"] else None,
            row["settled_at"],
        )
        for row in rows
    }


async def ask_for_preparations(conn: Connection, asked: Mapping[str, Preparation], now: datetime) -> None:
    """Begin these, or say who asks for them as well."""
    digests, on_behalf = columns([(digest, " ".join(one.on_behalf)) for digest, one in sorted(asked.items())], 2)
    await SQL.run(conn, "ask_for_preparations", digests=digests, on_behalf=on_behalf, now=now)


async def count_tellings(conn: Connection, digests: Collection[str]) -> dict[str, int]:
    """The sequence of one more event about each of these bundles."""
    rows = await SQL.fetch(conn, "count_tellings", digests=list(digests))
    return {row["sha256"]: row["sequence"] for row in rows}


async def hold_blobs(conn: Connection, bundle_sha256: str, sizes: Mapping[str, int]) -> bool:
    """Keep these blobs (bytes by digest) from being freed; False = the preparation is not wanted any more."""
    digests, counts = columns(sorted(sizes.items()), 2)
    named = {"digests": digests, "sizes": counts}
    wanted: bool = await SQL.value(conn, "hold_blobs", bundle_sha256=bundle_sha256, **named)
    return wanted


async def went_on(conn: Connection, bundle_sha256: str) -> None:
    """What had kept it from going on has passed."""
    await SQL.run(conn, "went_on", bundle_sha256=bundle_sha256)


async def note_trouble(conn: Connection, bundle_sha256: str, now: datetime) -> datetime | None:
    """Since when trouble keeps it from going on; None = nobody wants it any more."""
    since: datetime | None = await SQL.value(conn, "note_trouble", bundle_sha256=bundle_sha256, now=now)
    return since


async def read_prepared(conn: Connection, release: Release) -> ReleasePrepared:
    """What was told of a release that is prepared, once more."""
    row = await SQL.row(conn, "read_prepared", bundle_sha256=release.bundle_sha256)
    items = await SQL.fetch(conn, "read_items", bundle_sha256=release.bundle_sha256)
    about = {"app": release.app, "version": release.version, "bundle_sha256": release.bundle_sha256}
    return ReleasePrepared.model_validate({**about, **dict(row or {}), "content": [dict(item) for item in items]})


async def settle_prepared(
    conn: Connection,
    bundle_sha256: str,
    items: Sequence[ContentItem],
    notes: Sequence[ContentNote],
    blobs: Collection[str],
    now: datetime,
) -> int | None:
    """Write what was prepared; the bytes of all its blobs, None when nobody wants it any more."""
    noted = [note.model_dump(mode="json") for note in notes]
    about = {"bundle_sha256": bundle_sha256, "digests": list(blobs)}
    size: int | None = await SQL.value(conn, "settle_prepared", **about, notes=noted, now=now)
    if size is None:
        return None
    await SQL.run(conn, "let_go", **about)
    rows: list[tuple[Any, ...]] = [(i.component, i.kind, i.name, i.sha256, i.bytes, i.platform, i.index) for i in items]
    names = ("components", "kinds", "names", "digests", "sizes", "platforms", "indexes")
    listed = dict(zip(names, columns(rows, 7), strict=True))
    await SQL.run(conn, "list_items", bundle_sha256=bundle_sha256, **listed)
    return size


async def settle_failed(
    conn: Connection, digests: Collection[str], cause: Cause, now: datetime
) -> dict[str, tuple[str, ...]]:
    """Let those that are under way fail; who had asked, by the digests of their bundles."""
    told = cause.model_dump(mode="json")
    rows = await SQL.fetch(conn, "settle_failed", digests=list(digests), cause=told, now=now)
    return {row["bundle_sha256"]: tuple(row["on_behalf"]) for row in rows}
