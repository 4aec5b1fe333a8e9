"""The rows of prestages: what is prepared, who waits for it, and what lies on sites. Each query typed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from pydantic import TypeAdapter

from services.deployer.drivers import Item
from services.deployer.plan import Prepared
from shared.messages import catalog
from shared.messages.deployer import Cause, Prestaged
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))

_PRESTAGED: TypeAdapter[tuple[Prestaged, ...]] = TypeAdapter(tuple[Prestaged, ...])

Pair = tuple[str, str]
"""An app with a version."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How the preparation of a release stands, for those who want to wait for it."""

    prepared: bool
    cause: Cause | None
    failed_for: frozenset[str]


class Mark(NamedTuple):
    """What an operation that was just stored has to wait for, or why it ends at once."""

    id: str
    on_behalf: str
    awaits: str | None
    refused: Cause | None
    force: bool


class Other(NamedTuple):
    """Another app of a site, with the releases whose content it may need."""

    site: str
    app: str
    versions: tuple[str, ...]


class PrestageStore:
    """The queries of queries.sql on one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    # -- preparations ---------------------------------------------------------------------------------------------

    async def prepared(self, pairs: Iterable[Pair]) -> dict[Pair, Prepared]:
        """Those of the releases that are prepared."""
        apps, versions = columns(sorted(set(pairs)), 2)
        rows = await SQL.fetch(self._conn, "find_preparations", apps=apps, versions=versions)
        return {(row["app"], row["version"]): _prepared(row) for row in rows}

    async def prepared_bundles(self, pairs: Iterable[Pair]) -> dict[Pair, str]:
        """The digests of the bundles of those that are prepared."""
        apps, versions = columns(sorted(set(pairs)), 2)
        rows = await SQL.fetch(self._conn, "find_prepared_bundles", apps=apps, versions=versions)
        return {(row["app"], row["version"]): row["bundle_sha256"] for row in rows}

    async def lock_preparations(self, pairs: Iterable[Pair]) -> dict[Pair, Preparation]:
        """How they stand, once everybody is done who is changing that now; it stays so until this transaction ends."""
        apps, versions = columns(sorted(set(pairs)), 2)
        rows = await SQL.fetch(self._conn, "lock_preparations", apps=apps, versions=versions)
        return {(row["app"], row["version"]): _preparation(row) for row in rows}

    async def ask_preparations(self, pairs: Iterable[Pair]) -> None:
        """Those that failed are tried again."""
        apps, versions = columns(sorted(set(pairs)), 2)
        await SQL.run(self._conn, "ask_preparations", apps=apps, versions=versions)

    async def put_prepared(self, events: Sequence[catalog.ReleasePrepared]) -> int:
        """Learn what is prepared; returns how many operations wait no longer."""
        last = {(event.app, event.version): _prepared_row(event) for event in events}
        await SQL.run(self._conn, "put_prepared", prepared=list(last.values()))
        apps, versions = columns(list(last), 2)
        return await SQL.run(self._conn, "free_prepared", apps=apps, versions=versions)

    async def put_failed(self, events: Sequence[catalog.PreparationFailed]) -> int:
        """Learn what could not be prepared, and for whom; returns how many operations wait no longer."""
        last: dict[Pair, dict[str, Any]] = {}
        for event in events:
            pair = (event.app, event.version)
            before = last[pair]["failed_for"] if pair in last else []
            last[pair] = _failed_row(event, before)
        await SQL.run(self._conn, "put_failed", failed=list(last.values()))
        return await SQL.run(self._conn, "free_failed", failed=list(last.values()))

    # -- operations that wait -------------------------------------------------------------------------------------

    async def mark(self, marks: Sequence[Mark]) -> None:
        """Keep it with operations that were stored in this transaction."""
        rows = [(m.id, m.on_behalf, m.awaits, m.refused and m.refused.model_dump(), m.force) for m in marks]
        ids, behalves, awaits, refused, force = columns(rows, 5)
        named = {"ids": ids, "behalves": behalves, "awaits": awaits, "refused": refused, "force": force}
        await SQL.run(self._conn, "mark_prestages", **named)

    async def free_refused(self, refused: Iterable[tuple[str, str, Cause]]) -> int:
        """Rows of app, command and cause; returns how many operations wait no longer."""
        apps, commands, causes = columns([(a, c, cause.model_dump()) for a, c, cause in refused], 3)
        return await SQL.run(self._conn, "free_refused", apps=apps, commands=commands, causes=causes)

    # -- sites ----------------------------------------------------------------------------------------------------

    async def put_prestaged(self, rows: Iterable[tuple[str, str, Sequence[Prestaged]]]) -> None:
        """Rows of site, app and all that lies prestaged there."""
        told = [(site, app, _PRESTAGED.dump_json(tuple(lies)).decode()) for site, app, lies in rows]
        sites, apps, prestaged = columns(told, 3)
        await SQL.run(self._conn, "put_prestaged", sites=sites, apps=apps, prestaged=prestaged)

    async def others(self, deployed: Iterable[tuple[str, str]]) -> list[Other]:
        """By site and app: the other apps there."""
        sites, apps = columns(list(deployed), 2)
        rows = await SQL.fetch(self._conn, "find_others", sites=sites, apps=apps)
        return [_other(row) for row in rows]


def prestaged_of(kept: Sequence[Mapping[str, Any]] | None) -> tuple[Prestaged, ...]:
    """As the column of the table has it."""
    return _PRESTAGED.validate_python(kept or ())


def _other(row: asyncpg.Record) -> Other:
    versions = [
        row["version"],
        *row["history"][-1:],
        *row["leftovers"],
        *(p["version"] for p in row["prestaged"] or ()),
    ]
    return Other(row["site"], row["app"], tuple(v for v in dict.fromkeys(versions) if v))


def _prepared(row: asyncpg.Record) -> Prepared:
    items = tuple(Item(**each) for each in row["content"])
    return Prepared(row["bundle_sha256"], items, row["bytes"], row["at"], tuple(row["notes"]))


def _preparation(row: asyncpg.Record) -> Preparation:
    cause = Cause.model_validate(row["cause"]) if row["cause"] else None
    return Preparation(row["state"] == "prepared", cause, frozenset(row["failed_for"]))


def _prepared_row(event: catalog.ReleasePrepared) -> dict[str, Any]:
    return {
        "app": event.app,
        "version": event.version,
        "bundle_sha256": event.bundle_sha256,
        "content": [item.model_dump(mode="json") for item in event.content],
        "bytes": event.bytes,
        "notes": [f"{note.component}: {note.text}" for note in event.notes],
        "at": event.prepared_at.isoformat(),
    }


def _failed_row(event: catalog.PreparationFailed, before: Sequence[str]) -> dict[str, Any]:
    return {
        "app": event.app,
        "version": event.version,
        "bundle_sha256": event.bundle_sha256,
        "cause": {"code": "preparation_failed", "message": f"{event.cause.code}: {event.cause.message}"[:2_000]},
        "failed_for": sorted({*before, *event.on_behalf}),
        "at": event.failed_at.isoformat(),
    }
