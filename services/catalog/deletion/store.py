"""Rows of deletions, and the removal of what they are about: one typed method a query."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from services.catalog.domain import Release
from shared.messages.base import Cause
from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class Deletion:
    """One that has been asked for, and on whose behalf."""

    bundle_sha256: str
    reason: str
    correlation_id: str
    actor: str


async def ask(conn: Connection, sha256: str, id_: str, reason: str, correlation: str, actor: str) -> bool:
    """Note that a release is to be deleted; False when it is already."""
    values = {"sha256": sha256, "id": id_, "reason": reason, "correlation": correlation, "actor": actor}
    return bool(await SQL.value(conn, "ask", **values))


class Removed(NamedTuple):
    """What went with a release."""

    sequence: int
    """Of the last event about its content."""
    app_gone: bool


async def bundle_of(conn: Connection, id_: str) -> str | None:
    """What is to be deleted; None when it is decided."""
    found: str | None = await SQL.value(conn, "bundle_of", id=id_)
    return found


async def end(conn: Connection, id_: str) -> Deletion | None:
    """It is decided; None when it was before."""
    row = await SQL.row(conn, "end", id=id_)
    return Deletion(**dict(row)) if row else None


async def remove(conn: Connection, release: Release, cause: Cause, now: datetime) -> Removed | None:
    """Remove a release. None when it has gone, or become something else."""
    await SQL.row(conn, "lock_app", app=release.app)
    sequence = await SQL.value(conn, "delete_bundle", sha256=release.bundle_sha256, now=now)
    if sequence is None:
        return None
    await SQL.run(conn, "delete_release", id=release.id)
    await SQL.run(conn, "forget_items", sha256=release.bundle_sha256)
    await SQL.run(
        conn, "forget_preparation", sha256=release.bundle_sha256, cause=cause.model_dump(mode="json"), now=now
    )
    return Removed(sequence, bool(await SQL.value(conn, "delete_app", app=release.app)))
