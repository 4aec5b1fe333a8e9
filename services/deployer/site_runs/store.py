"""Runs over sites and their items: each query typed, set-based."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from services.deployer.domain import Operation
from services.deployer.judging import HOUR
from services.deployer.site_runs.planning import Item, Run
from shared.messages.base import Cause
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for a run, and how its operations are to be."""

    prereleases: bool = False
    timeout_seconds: int | None = None
    """Of each operation; None = as its release says."""
    strategy_id: str | None = None
    actor: str = ""
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A run that this transaction works on."""

    run: Run
    origin: Origin
    started_at: datetime
    nth: int
    """So many events were told of it."""


async def insert_runs(conn: Connection, runs: Iterable[tuple[Run, Origin]], now: datetime) -> set[str]:
    """Store runs with their items; the ids of those that were. On the sites of the others another run goes."""
    runs = list(runs)
    rows = [
        (r.id, r.site, r.kind, r.go_on, o.prereleases, *_seconds(o), o.strategy_id, o.actor, o.correlation_id)
        for r, o in runs
    ]
    names = (
        "ids", "sites", "kinds", "go_ons", "prereleases", "timeouts", "asked", "strategy_ids", "actors",
        "correlation_ids",
    )  # fmt: skip
    found = await SQL.fetch(conn, "insert_runs", **dict(zip(names, columns(rows, 10), strict=True)), now=now)
    stored = {row["id"] for row in found}
    await put_items(conn, [(run.id, item) for run, _ in runs if run.id in stored for item in run.items])
    return stored


def _seconds(origin: Origin) -> tuple[int, int | None]:
    """As the version before reads it, which knows no release's own time, and as it was asked for."""
    return origin.timeout_seconds or HOUR, origin.timeout_seconds


def _asked(row: asyncpg.Record) -> int | None:
    """The version before wrote the first alone: an hour, unless somebody asked for another time."""
    asked: int | None = row["asked_seconds"]
    if asked is None and row["timeout_seconds"] != HOUR:
        asked = row["timeout_seconds"]
    return asked


async def put_items(conn: Connection, items: Iterable[tuple[str, Item]]) -> None:
    """Keep items as they are now, each with the id of its run."""
    rows = [
        (r, i.position, i.app, i.kind, i.state, i.from_version, i.to_version, i.operation_id, i.request, c)
        for r, i, c in ((r, i, _dumped(i.cause)) for r, i in items)
    ]
    names = (
        "run_ids", "positions", "apps", "kinds", "states", "from_versions", "to_versions", "operation_ids", "requests",
        "causes",
    )  # fmt: skip
    await SQL.run(conn, "put_items", **dict(zip(names, columns(rows, 10), strict=True)))


async def claim_runs(conn: Connection, limit: int) -> list[Held]:
    """Runs that are due, locked until the transaction ends."""
    rows = await SQL.fetch(conn, "claim_runs", limit=limit)
    items: dict[str, list[Item]] = {}
    for row in await SQL.fetch(conn, "items_of", run_ids=[row["id"] for row in rows]) if rows else ():
        items.setdefault(row["run_id"], []).append(_item(row))
    return [_held(row, items.get(row["id"], ())) for row in rows]


def _item(row: asyncpg.Record) -> Item:
    cause = Cause.model_validate(row["cause"]) if row["cause"] else None
    what = (row["position"], row["app"], row["kind"], row["state"], row["from_version"], row["to_version"])
    return Item(*what, row["operation_id"], row["request"], cause)


def _held(row: asyncpg.Record, items: Iterable[Item]) -> Held:
    cause = Cause.model_validate(row["cause"]) if row["cause"] else None
    what = (row["id"], row["site"], row["kind"], row["state"], tuple(items), row["go_on"], row["cancel_reason"], cause)
    origin = Origin(row["prereleases"], _asked(row), row["strategy_id"], row["actor"], row["correlation_id"])
    return Held(Run(*what), origin, row["started_at"], row["nth"])


async def put_runs(conn: Connection, runs: Iterable[tuple[Held, timedelta]], now: datetime) -> None:
    """Keep how runs stand, and how long nobody need look at them."""
    rows = [(h.run.id, h.run.state, _dumped(h.run.cause), h.nth, pause) for h, pause in runs]
    names = ("ids", "states", "causes", "nths", "pauses")
    await SQL.run(conn, "put_runs", **dict(zip(names, columns(rows, 5), strict=True)), now=now)


async def mark_operations(conn: Connection, begun: Mapping[str, str]) -> None:
    """Operations belong to runs: by operation, the run."""
    await SQL.run(conn, "mark_operations", operation_ids=list(begun), run_ids=list(begun.values()))


async def refuse_operation(conn: Connection, operation: Operation, cause: Cause, now: datetime) -> bool:
    """An operation that was accepted ends without having begun; False while another runs on its site."""
    facts = {name: getattr(operation, name) for name in ("id", "site", "app", "to_version", "strategy_id", "actor")}
    facts |= {"timeout_seconds": operation.timeout_seconds, "correlation_id": operation.correlation_id}
    facts |= {"kind": str(operation.kind), "cause": cause.model_dump(), "run_id": operation.run_id, "now": now}
    return bool(await SQL.fetch(conn, "refuse_operation", **facts))


async def note_ends(conn: Connection, ends: Sequence[tuple[str, str, Cause | None]]) -> None:
    """How operations of runs ended: id, `updated` or `failed`, and why."""
    ids, states, causes = columns([(i, state, _dumped(cause)) for i, state, cause in ends], 3)
    await SQL.run(conn, "note_ends", operation_ids=ids, states=states, causes=causes)


async def stop_runs(conn: Connection, reasons: Mapping[str, str]) -> None:
    """Have runs stopped; the first reason stays."""
    await SQL.run(conn, "stop_runs", ids=list(reasons), reasons=list(reasons.values()))


async def stop_runs_of(conn: Connection, reasons: Mapping[str, str]) -> None:
    """The same by the operations that somebody asked for, and that have not begun yet."""
    await SQL.run(conn, "stop_runs_of", operation_ids=list(reasons), reasons=list(reasons.values()))


async def find_runs(conn: Connection, ids: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """The site of each run that is known, and whether it has ended."""
    return {row["id"]: (row["site"], row["finished"]) for row in await SQL.fetch(conn, "find_runs", ids=list(ids))}


async def prune(conn: Connection, first: tuple[int, int], behind: tuple[int, int], before: datetime) -> None:
    """Forget runs that ended before then, of a part of the table."""
    await SQL.run(conn, "prune_site_runs", first=first, behind=behind, before=before)


def _dumped(cause: Cause | None) -> dict[str, Any] | None:
    return cause.model_dump() if cause else None
