"""The rows of operations that wait: for whom the time is up, of whom nobody heard, and what they wait for."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from services.deployer.domain import Operation
from services.deployer.judging import HOUR, Request
from services.deployer.overrides.terms import Terms
from shared.messages.base import Fault
from shared.messages.catalog import PublicationSettled
from shared.messages.deployer import Cause, RequestOperation
from shared.messages.words import OperationKind
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))

AT_ONCE = 500


class Waiting(NamedTuple):
    """An operation that waits, of which nobody has heard yet."""

    id: str
    site: str
    app: str
    kind: OperationKind
    to_version: str | None
    strategy_id: str | None
    correlation_id: str
    actor: str
    sequence: int
    publication: str | None
    """Which it waits for; None: it waits for a preparation."""


class Settled(NamedTuple):
    """An operation whose publication has ended."""

    request: Request
    """What was asked for, with the release that was published in place of its publication, if one was."""
    state: str
    published_app: str | None
    faults: tuple[str, ...]
    """What was wrong with the publication, each with its place."""
    cancelled: bool = False


class Begun(NamedTuple):
    """What becomes of an operation that waited: it goes to a release, or ends as it begins."""

    id: str
    refused: Cause | None
    operation: Operation | None = None
    """As it begins by what the release says that has come; None = none has."""


class WaitingStore:
    """The queries of queries.sql on one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def free_overdue(self, now: datetime) -> int:
        """End the waiting of those whose time is up; returns how many."""
        return await SQL.run(self._conn, "free_overdue", now=now)

    async def tell_waiting(self, before: datetime, limit: int) -> list[Waiting]:
        """Those asked for before, and not told of yet, at most so many; each is returned once."""
        rows = await SQL.fetch(self._conn, "tell_waiting", before=before, limit=limit)
        return [Waiting(**{**row, "kind": OperationKind(row["kind"])}) for row in rows]

    async def put_publications(self, events: Iterable[PublicationSettled], now: datetime) -> None:
        """Learn how publications ended."""
        kept = {"publication", "state", "app", "version", "faults"}
        settled = [event.model_dump(mode="json", include=kept) for event in events]
        await SQL.run(self._conn, "put_publications", settled=settled, now=now)

    async def lock_settled(self) -> list[Settled]:
        """Operations whose publication has ended, at most AT_ONCE; they are ours until this transaction ends."""
        rows = await SQL.fetch(self._conn, "lock_settled", limit=AT_ONCE)
        return [
            Settled(
                Request(row["id"], _request(row), row["correlation_id"], row["actor"]),
                row["state"],
                row["published_app"],
                tuple(Fault.model_validate(fault).in_words for fault in row["faults"]),
                row["cancelled"],
            )
            for row in rows
        ]

    async def give_way(self, ids: Sequence[str]) -> None:
        """They begin behind others, and are stored anew when their turn comes."""
        await SQL.run(self._conn, "give_way", ids=list(ids))

    async def free_settled(self, begun: Sequence[Begun]) -> int:
        """Let them begin; returns how many."""
        rows = [(b.id, b.refused and b.refused.model_dump(), *_of_release(b.operation)) for b in begun]
        names = ("ids", "refused", "from_versions", "to_versions", "terms", "recovers", "timeouts")
        return await SQL.run(self._conn, "free_settled", **dict(zip(names, columns(rows, 7), strict=True)))


def _of_release(o: Operation | None) -> tuple[Any, ...]:
    """What of an operation depends on its release."""
    if o is None:
        return (None,) * 5
    return o.from_version, o.to_version, o.terms.stored(), o.recover, o.timeout_seconds


def _request(row: asyncpg.Record) -> RequestOperation:
    """Asked for once more, with the release that has come: the same rules judge it."""
    names = ("site", "app", "kind", "version", "strategy_id", "recover")
    terms, seconds = Terms.of(row["terms"] or {}), row["timeout_seconds"]
    asked = {"only_changes": terms.only_changes, "timeout_seconds": None if seconds == HOUR else seconds, **terms.asked}
    return RequestOperation.model_validate({**{name: row[name] for name in names}, **asked})
