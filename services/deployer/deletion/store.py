"""Rows about releases that are to go: one typed method a query."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.deployer.deletion.strategies import Targets
from shared.messages.catalog import ReleaseDeleted, ReleaseDeleting
from shared.messages.deployer import ReleaseUseReported
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def note_deleting(conn: Connection, asked: Sequence[ReleaseDeleting], now: datetime) -> set[str]:
    """Let nothing go to these releases any more; the deletions of those that are known here."""
    ids, apps, versions, bundles = columns([(d.deletion, d.app, d.version, d.bundle_sha256) for d in asked], 4)
    named = {"ids": ids, "apps": apps, "versions": versions, "bundles": bundles}
    return {row["deletion"] for row in await SQL.fetch(conn, "note_deleting", **named, now=now)}


async def uses(conn: Connection, now: datetime, settled: timedelta) -> list[ReleaseUseReported]:
    """Of each release whose deletion was asked for so long ago, where it is needed; locked until the end."""
    rows = await SQL.fetch(conn, "uses", now=now, settled=settled)
    return [ReleaseUseReported.model_validate(_lists_as_tuples(dict(row))) for row in rows]


def _lists_as_tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


async def note_told(conn: Connection, told: Sequence[ReleaseUseReported]) -> None:
    """What is needed may be chosen again; of what is not, the deletion is waited for."""
    await SQL.run(conn, "keep", ids=[use.deletion for use in told if use.needed])
    await SQL.run(conn, "told_unneeded", ids=[use.deletion for use in told if not use.needed])


async def forget(conn: Connection, gone: Sequence[ReleaseDeleted]) -> None:
    """Everything that speaks of releases that are gone, but for the operations that ended."""
    apps, versions, bundles = columns([(r.app, r.version, r.bundle_sha256) for r in gone], 3)
    named = {"apps": apps, "versions": versions}
    await SQL.run(conn, "forget_releases", **named, bundles=bundles)
    # Deployments before their revisions, and in the order in which everybody locks them.
    await SQL.fetch(conn, "lock_deployments", **named)
    await SQL.run(conn, "forget_prestaged", apps=apps, bundles=bundles)
    for query in ("forget_history", "forget_preparations", "forget_revisions", "forget_failures"):
        await SQL.run(conn, query, **named)


async def note_strategies(conn: Connection, told: Targets) -> None:
    """The releases that strategies lead to, and until when; those that nobody can retry are forgotten."""
    if told.gone:
        await SQL.run(conn, "forget_strategies", ids=sorted(told.gone))
    if told.planned:
        names = ("ids", "strategies", "apps", "versions", "untils")
        rows = sorted(row for plan in told.planned.values() for row in plan)
        await SQL.run(conn, "put_targets", **dict(zip(names, columns(rows, 5), strict=True)))
    if told.moved:
        ids, untils = columns(sorted(told.moved.items()), 2)
        await SQL.run(conn, "move_strategies", ids=ids, untils=untils)
