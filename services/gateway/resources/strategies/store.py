"""Strategies: what is written of them. The reading side is in reads.py."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from services.gateway.resources.numbering import numbered
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))
Why = dict[str, str] | None


class PlanRow(NamedTuple):
    """A strategy as it was planned."""

    strategy_id: str
    name: str
    spec: str  # JSON
    excluded: str  # JSON
    excluded_count: int
    targets: str  # JSON
    created_at: datetime
    seq: int


class StagePlanRow(NamedTuple):
    """A stage as it was planned."""

    strategy_id: str
    position: int
    name: str
    sites: int
    max_parallel: int
    soak_seconds: int
    spread: str  # JSON
    spread_more: int
    at: datetime


class StateRow(NamedTuple):
    """Where a strategy stands."""

    strategy_id: str
    name: str
    state: str
    why: Why
    actions: str  # JSON
    at: datetime
    started_at: datetime | None
    seq: int


class StageRow(NamedTuple):
    """Where a stage stands."""

    strategy_id: str
    position: int
    name: str
    state: str
    waiting: int
    running: int
    complete: int
    failed: int
    aborted: int
    max_parallel: int
    why: Why
    warning: Why
    seq: int
    at: datetime


class Move(NamedTuple):
    """Where steps stand. All steps that one event moved to the same state mostly share it."""

    strategy_id: str
    stage: int
    state: str
    attempt: int
    why: str | None  # JSON
    target: str | None
    seq: int
    at: datetime


class StepRow(NamedTuple):
    """Where a step stands."""

    site: str
    operation_id: str | None
    move: Move


class TimelineRow(NamedTuple):
    """Something that happened to a strategy. `entry_id` is that of the event, so that it is told once."""

    entry_id: str
    strategy_id: str
    at: datetime
    kind: str
    code: str
    message: str
    stage: int | None


class ForecastRow(NamedTuple):
    """The monitor's advice on a stage."""

    strategy_id: str
    stage: int
    failure_rate: float
    eta_low: datetime | None
    eta_high: datetime | None
    overdue: bool
    at: datetime


async def plan(conn: Connection, plans: Sequence[PlanRow], stages: Sequence[StagePlanRow]) -> None:
    """Add strategies and their stages; where they stand is left alone."""
    names = ("ids", "names", "specs", "excluded", "excluded_counts", "targets", "created", "seqs")
    await SQL.run(conn, "plan_strategies", **dict(zip(names, columns(plans, 8), strict=True)))
    first = ("ids", "positions", "names", "sites", "max_parallels", "soaks")
    of_stages = (*first, "spreads", "spread_mores", "ats")
    await SQL.run(conn, "plan_stages", **dict(zip(of_stages, columns(stages, 9), strict=True)))


async def move(conn: Connection, rows: Sequence[StateRow]) -> None:
    """Where strategies stand now, unless something newer is known."""
    names = ("ids", "names", "states", "whys", "actions", "ats", "started", "seqs")
    await SQL.run(conn, "move_strategies", **dict(zip(names, columns(rows, 8), strict=True)))


async def delete(conn: Connection, ids: Sequence[str]) -> None:
    """Mark strategies as put away."""
    await SQL.run(conn, "delete_strategies", ids=list(ids))


async def find_stages(conn: Connection, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], tuple[str, int]]:
    """State and sequence of those of the stages (strategy_id, position) that are known."""
    ids, positions = columns(keys, 2)
    rows = await SQL.fetch(conn, "find_stages", ids=ids, positions=positions)
    return {(row["strategy_id"], row["position"]): (row["state"], row["seq"]) for row in rows}


async def move_stages(conn: Connection, rows: Sequence[StageRow]) -> None:
    """Where stages stand now, unless something newer is known."""
    first = ("ids", "positions", "names", "states", "waiting", "running", "complete", "failed", "aborted")
    rest = ("max_parallels", "whys", "warnings", "seqs", "ats")
    await SQL.run(conn, "move_stages", **dict(zip(first + rest, columns(rows, 14), strict=True)))


async def move_steps(conn: Connection, rows: Sequence[StepRow]) -> None:
    """Where steps stand now, unless something newer is known."""
    sites, operations, moves = columns(rows, 3)
    told, numbers = numbered(moves)
    names = ("ids", "stages", "states", "attempts", "whys", "targets", "seqs", "ats")
    named = dict(zip(names, columns(told, 8), strict=True))
    await SQL.run(conn, "move_steps", sites=sites, operation_ids=operations, moves=numbers, **named)


async def add_to_timeline(conn: Connection, rows: Sequence[TimelineRow]) -> None:
    """Tell what happened, each event once."""
    names = ("entry_ids", "ids", "ats", "kinds", "codes", "messages", "stages")
    await SQL.run(conn, "add_to_timeline", **dict(zip(names, columns(rows, 7), strict=True)))


async def put_forecasts(conn: Connection, rows: Sequence[ForecastRow]) -> None:
    """The latest advice on each stage."""
    names = ("ids", "stages", "rates", "lows", "highs", "overdues", "ats")
    await SQL.run(conn, "put_forecasts", **dict(zip(names, columns(rows, 7), strict=True)))


async def prune(conn: Connection, before: datetime, limit: int) -> bool:
    """Forget up to `limit` steps and lines of the story of a strategy that was deleted before `before`, in the end the
    strategy itself; returns whether there was one.
    """
    strategy_id = await SQL.value(conn, "next_forgotten", before=before)
    if strategy_id is None:
        return False
    steps = await SQL.run(conn, "prune_steps", strategy_id=strategy_id, limit=limit)
    lines = await SQL.run(conn, "prune_timeline", strategy_id=strategy_id, limit=limit)
    if max(steps, lines) < limit:
        await SQL.run(conn, "forget_strategy", strategy_id=strategy_id)
    return True
