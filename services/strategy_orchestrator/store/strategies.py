"""Strategies and their stages. One typed method a query of strategies.sql."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import asyncpg

from services.strategy_orchestrator.domain import Stage, Strategy
from services.strategy_orchestrator.planning import Plan
from services.strategy_orchestrator.store.steps import insert_steps
from services.strategy_orchestrator.strategies import TYPES, operation_of
from shared.messages.strategy import Counts, FailurePolicy, StrategySpec, Why
from shared.messages.words import OperationKind, StageState, StrategyState, StrategyType
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("strategies.sql"))


class Named(NamedTuple):
    """A strategy that goes by this id and name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class StoredStrategy:
    """A strategy as it is kept, with what `Strategy` does not decide by."""

    strategy: Strategy
    app: str
    version: str | None
    """The release to reach; None = each site has its own."""
    spec: Mapping[str, Any]
    operation: OperationKind
    """What the deployer is asked for on each site."""
    sequence: int
    """Of its last event."""
    started_at: datetime | None
    finished_at: datetime | None
    deleted_at: datetime | None
    created_by: str
    created_at: datetime
    groups: list[str]
    """Of the sites it holds, where any has one."""
    cursors: list[int]
    """No step of a stage that may start stands before its position."""


async def strategies_towards(conn: Connection, apps: Sequence[str]) -> list[str]:
    """The ids of those strategies of these apps that are under way."""
    return [row["id"] for row in await SQL.fetch(conn, "strategies_towards", apps=list(apps))]


async def live(conn: Connection) -> list[str]:
    """The ids of those that hold their sites."""
    return [row["id"] for row in await SQL.fetch(conn, "live")]


async def find_strategy(conn: Connection, reference: str) -> str | None:
    """The id of the strategy with this id, or of the one of this name that is not deleted."""
    return cast("str | None", await SQL.value(conn, "find_strategy", reference=reference))


async def clashes(conn: Connection, name: str, strategy_id: str) -> list[Named]:
    """Strategies that are not deleted and have this name, this name as their id, or this id as their name."""
    return [Named._make(row) for row in await SQL.fetch(conn, "clashes", name=name, id=strategy_id)]


async def lock_in_order(conn: Connection, references: Sequence[str], sites: Sequence[str]) -> set[str]:
    """Lock the strategies of these ids or names, and those that hold these sites, until the end of the transaction.

    Returns the groups of their sites.
    """
    rows = await SQL.fetch(conn, "lock_in_order", references=references, sites=sites)
    return {group for row in rows for group in row["groups"]}


async def lock_strategies(conn: Connection, ids: Sequence[str]) -> list[StoredStrategy]:
    """Strategies with their stages, locked until the end of the transaction."""
    rows = await SQL.fetch(conn, "lock_strategies", ids=list(ids))
    stages: dict[str, list[asyncpg.Record]] = {row["id"]: [] for row in rows}
    for stage in await SQL.fetch(conn, "stages_of", ids=list(stages)) if rows else ():
        stages[stage["strategy_id"]].append(stage)
    return [_stored(row, stages[row["id"]]) for row in rows]


def _stored(row: asyncpg.Record, stages: Sequence[asyncpg.Record]) -> StoredStrategy:
    return StoredStrategy(
        strategy=_strategy(row, stages),
        app=row["app"],
        version=row["version"],
        spec=row["spec"],
        operation=_operation(row),
        sequence=row["sequence"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        deleted_at=row["deleted_at"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        groups=row["groups"],
        cursors=[stage["cursor"] for stage in stages],
    )


def _operation(row: asyncpg.Record) -> OperationKind:
    if row["operation"]:
        return OperationKind(row["operation"])
    return operation_of(StrategyType(row["type"]), row["spec"]["force"])  # planned by a version that did not note it


def _strategy(row: asyncpg.Record, stages: Sequence[asyncpg.Record]) -> Strategy:
    return Strategy(
        id=row["id"],
        name=row["name"],
        state=StrategyState(row["state"]),
        why=Why(code=row["why_code"], message=row["why_message"]),
        policy=FailurePolicy(**row["spec"]["on_failure"]),
        stages=tuple(_stage(stage) for stage in stages),
        ends_as=StrategyState(row["ends_as"]) if row["ends_as"] else None,
        left_out=row["left_out"],
        skipped=row["skipped"],
        round=row["round"],
        catch_up_until=row["catch_up_until"],
        catch_up_sites=row["catch_up_sites"],
        no_way_back=TYPES[StrategyType(row["type"])].no_way_back,
        publication=row["publication"],
        begins=row["begins"],
    )


def _stage(row: asyncpg.Record) -> Stage:
    return Stage(
        position=row["position"],
        name=row["name"],
        state=StageState(row["state"]),
        counts=Counts(**{name: row[name] for name in Counts.model_fields}),
        max_parallel=row["max_parallel"],
        soak_seconds=row["soak_seconds"],
        soak_until=row["soak_until"],
        accepted_failures=row["accepted_failures"],
        blocked=row["blocked"],
        why=Why(code=row["why_code"], message=row["why_message"]) if row["why_code"] else None,
        moved_at=row["moved_at"],
        oldest=row["oldest"],
        warning=Why(**row["warning"]) if row["warning"] else None,
    )


class NewStrategy(NamedTuple):
    """A strategy that was planned, or waits for its release."""

    id: str
    spec: StrategySpec
    operation: OperationKind
    why: Why
    created_by: str
    left_out: int
    """How many selected sites take no part."""


def spec_stored(spec: StrategySpec) -> dict[str, Any]:
    """As it is kept: what nobody said of time as null, since replicas of before look it up."""
    return {**spec.model_dump(mode="json"), "step_timeout_seconds": spec.step_timeout_seconds}


async def insert_strategy(conn: Connection, new: NewStrategy, now: datetime) -> None:
    """A strategy that is ready or waits; its first event has the sequence 1."""
    spec, why = new.spec, new.why
    await SQL.run(
        conn,
        "insert_strategy",
        id=new.id,
        name=spec.name,
        type=spec.type,
        app=spec.app,
        version=spec.version,
        spec=spec_stored(spec),
        operation=new.operation,
        left_out=new.left_out,
        state=StrategyState.WAITING if spec.publication else StrategyState.READY,
        publication=spec.publication,
        why_code=why.code,
        why_message=why.message,
        sequence=0,
        created_by=new.created_by,
        created_at=now,
    )


async def insert_plan(conn: Connection, strategy_id: str, plan: Plan, why: Why) -> None:
    """The stages and steps of a plan, which wait for this reason: two round trips, whatever its size."""
    firsts = [sum(stage.sites for stage in plan.stages[:index]) for index in range(len(plan.stages))]
    rows = [(s.position, s.name, s.sites, s.max_parallel, s.soak_seconds) for s in plan.stages]
    positions, names, sites, max_parallels, soaks = columns(rows, 5)
    await SQL.run(
        conn,
        "insert_stages",
        strategy_id=strategy_id,
        positions=positions,
        names=names,
        sites=sites,
        max_parallels=max_parallels,
        soaks=soaks,
        firsts=firsts,
        why_code=why.code,
        why_message=why.message,
    )
    groups, targets = plan.groups or {}, plan.targets
    ungrouped = None if plan.groups is None else ""
    places = [(number, site) for number, members in enumerate(plan.sites) for site in members]
    steps = [(n, site, targets.get(site), groups.get(site, ungrouped)) for n, site in places]
    await insert_steps(conn, strategy_id, steps)


class SavedStrategy(NamedTuple):
    """What may change of a strategy."""

    id: str
    state: str
    ends_as: str | None
    why_code: str
    why_message: str
    sequence: int
    started_at: datetime | None
    finished_at: datetime | None
    skipped: int
    round: int
    catch_up_until: datetime | None
    catch_up_sites: int
    begins: str


async def save_strategies(conn: Connection, saved: Sequence[SavedStrategy]) -> None:
    """Keep them as they are now."""
    state = ("ids", "states", "ends_as", "why_codes", "why_messages", "sequences")
    rest = ("started_at", "finished_at", "skipped", "rounds", "catch_ups", "catch_up_sites", "begins")
    await SQL.run(conn, "save_strategies", **dict(zip(state + rest, columns(saved, 13), strict=True)))


async def save_stages(conn: Connection, stages: Sequence[tuple[str, Stage, int]]) -> None:
    """(strategy id, stage, cursor) for each."""
    await SQL.run(
        conn,
        "save_stages",
        strategy_ids=[strategy_id for strategy_id, _, _ in stages],
        positions=[s.position for _, s, _ in stages],
        states=[s.state for _, s, _ in stages],
        waiting=[s.counts.waiting for _, s, _ in stages],
        running=[s.counts.running for _, s, _ in stages],
        complete=[s.counts.complete for _, s, _ in stages],
        failed=[s.counts.failed for _, s, _ in stages],
        aborted=[s.counts.aborted for _, s, _ in stages],
        blocked=[s.blocked for _, s, _ in stages],
        why_codes=[s.why.code if s.why else None for _, s, _ in stages],
        why_messages=[s.why.message if s.why else None for _, s, _ in stages],
        moved_at=[s.moved_at for _, s, _ in stages],
        oldest=[s.oldest for _, s, _ in stages],
        warnings=[s.warning.model_dump() if s.warning else None for _, s, _ in stages],
        accepted_failures=[s.accepted_failures for _, s, _ in stages],
        soak_until=[s.soak_until for _, s, _ in stages],
        cursors=[cursor for _, _, cursor in stages],
    )


async def delete_strategy(conn: Connection, strategy_id: str, now: datetime) -> None:
    """Put a strategy away."""
    await SQL.run(conn, "delete_strategy", id=strategy_id, now=now)


async def no_longer_failing(conn: Connection, stages: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those of the stages (strategy id, position) that are still warned of for their failure rate."""
    strategy_ids, positions = columns(stages, 2)
    rows = await SQL.fetch(conn, "no_longer_failing", strategy_ids=strategy_ids, positions=positions)
    return [(row["strategy_id"], row["position"]) for row in rows]
