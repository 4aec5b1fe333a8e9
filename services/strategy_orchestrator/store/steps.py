"""The steps of strategies. One typed method a query of steps.sql."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from services.strategy_orchestrator.domain import StageCount
from services.strategy_orchestrator.strategies import Changed
from services.strategy_orchestrator.strategies.site_state import TURNED
from shared.messages.strategy import Counts, Why
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("steps.sql"))


class Step(NamedTuple):
    """A step as a statement left it."""

    strategy_id: str
    position: int
    stage: int
    site: str
    state: str
    attempt: int
    why_code: str | None
    why_message: str | None
    group_name: str | None
    """Of its site; empty = has none, null = nobody's group counts in this strategy."""
    target: str | None
    """The release to reach; None = the strategy's."""


class RunningStep(NamedTuple):
    """A step that runs."""

    strategy_id: str
    position: int
    attempt: int
    site: str
    strategy: str
    """Its strategy's name."""


class LongRunning(NamedTuple):
    """A site that runs, and since when; None for a step begun by an older version."""

    site: str
    started_at: datetime | None


class StepOfBatch(NamedTuple):
    """A running step, and the batch in which its operation was asked for."""

    strategy_id: str
    position: int
    attempt: int
    batch: str


async def insert_steps(
    conn: Connection, strategy_id: str, steps: Sequence[tuple[int, str, str | None, str | None]]
) -> None:
    """Waiting steps by (stage, site, target, group), in the order in which they start."""
    lists = dict(zip(("stages", "sites", "targets", "groups"), columns(steps, 4), strict=True))
    await SQL.run(conn, "insert_steps", strategy_id=strategy_id, positions=list(range(len(steps))), **lists)


async def start_steps(
    conn: Connection, strategy_id: str, stage: int, cursor: int, count: int, batch: str, now: datetime
) -> list[Step]:
    """Give the next `count` waiting steps from `cursor` on a slot, all asked for in one batch; as they are now."""
    values = {"strategy_id": strategy_id, "stage": stage, "cursor": cursor, "count": count, "batch": batch}
    return await _steps(conn, "start_steps", **values, now=now, messages=TURNED)


async def oldest_running(conn: Connection, strategy_id: str, stage: int, limit: int) -> list[LongRunning]:
    """The steps of a stage that run longest: site and since when, None for one begun by an older version."""
    rows = await SQL.fetch(conn, "oldest_running", strategy_id=strategy_id, stage=stage, limit=limit)
    return [LongRunning._make(row) for row in rows]


async def running_steps(conn: Connection, strategy_id: str, sites: Sequence[str]) -> list[RunningStep]:
    """The running steps of these sites, or all of the strategy when no site is given."""
    rows = await SQL.fetch(conn, "running_steps", strategy_id=strategy_id, sites=list(sites))
    return [RunningStep._make(row) for row in rows]


async def still_running(conn: Connection, steps: Sequence[tuple[str, int, int]]) -> list[RunningStep]:
    """Those of the steps (strategy id, position, attempt) that run, with their site and the strategy's name."""
    strategy_ids, positions, attempts = columns(steps, 3)
    values = {"strategy_ids": strategy_ids, "positions": positions, "attempts": attempts}
    rows = await SQL.fetch(conn, "still_running", **values)
    return [RunningStep._make(row) for row in rows]


async def steps_of_batches(conn: Connection, batches: Sequence[tuple[str, str]]) -> list[StepOfBatch]:
    """Those steps that still run of the batches, given by (strategy id, name)."""
    strategy_ids, names = columns(batches, 2)
    rows = await SQL.fetch(conn, "steps_of_batches", strategy_ids=strategy_ids, names=names)
    return [StepOfBatch._make(row) for row in rows]


class StepEnd(NamedTuple):
    """How a running step ended."""

    strategy_id: str
    position: int
    attempt: int
    state: str
    why_code: str | None
    why_message: str | None
    before: str | None = None
    """The release that its operation found."""
    changed: bool | None = None
    """Whether the operation left the site other than it found it; None = no operation ran."""


async def finish_steps(conn: Connection, ends: Sequence[StepEnd]) -> list[Step]:
    """End running steps; those that moved."""
    names = ("strategy_ids", "positions", "attempts", "states", "codes", "messages", "befores", "changed")
    return await _steps(conn, "finish_steps", **dict(zip(names, columns(ends, 8), strict=True)))


async def block_steps(conn: Connection, blocked: Sequence[tuple[str, int, int, str, str]]) -> list[Step]:
    """Running steps by (strategy id, position, attempt, code, message) wait for their site; those that moved."""
    strategy_ids, positions, attempts, codes, messages = columns(blocked, 5)
    values = {"positions": positions, "attempts": attempts, "codes": codes, "messages": messages}
    return await _steps(conn, "block_steps", strategy_ids=strategy_ids, **values)


async def unblock_steps(conn: Connection, freed: Sequence[tuple[str, int]]) -> list[Step]:
    """Steps by (strategy id, position) whose site is free again; those that were blocked."""
    strategy_ids, positions = columns(freed, 2)
    return await _steps(conn, "unblock_steps", strategy_ids=strategy_ids, positions=positions)


async def unblock_lagging(conn: Connection, strategy_ids: Sequence[str]) -> list[Step]:
    """Blocked steps of these strategies whose site is not busy may try again; those that were blocked."""
    return await _steps(conn, "unblock_lagging", strategy_ids=list(strategy_ids))


async def abort_steps(conn: Connection, strategy_id: str, why: Why) -> list[Step]:
    """Every waiting step becomes aborted."""
    return await _steps(conn, "abort_steps", strategy_id=strategy_id, code=why.code, message=why.message)


class Ended(NamedTuple):
    """A step that waited and was aborted, and whether its site was busy."""

    step: Step
    was_blocked: bool


async def abort_steps_towards(conn: Connection, strategy_id: str, version: str, why: Why) -> list[Ended]:
    """Waiting steps with this release of their own to reach become aborted."""
    return await _ended(conn, "abort_steps_towards", why, strategy_id=strategy_id, version=version)


async def abort_turned(conn: Connection, sites: Sequence[str]) -> list[Ended]:
    """Waiting steps of those of these sites that may not be changed now become aborted, in whichever strategies."""
    rows = await SQL.fetch(conn, "abort_turned", sites=list(sites), messages=TURNED)
    return [Ended(Step._make(step), was_blocked) for *step, was_blocked in rows]


async def skip_steps(conn: Connection, strategy_id: str, sites: Sequence[str], why: Why) -> list[Ended]:
    """Waiting steps of these sites become aborted."""
    return await _ended(conn, "skip_steps", why, strategy_id=strategy_id, sites=list(sites))


async def states_of(conn: Connection, strategy_id: str, sites: Sequence[str]) -> dict[str, str]:
    """The state of the step of each of these sites that has one in the strategy."""
    rows = await SQL.fetch(conn, "states_of", strategy_id=strategy_id, sites=list(sites))
    return {row["site"]: row["state"] for row in rows}


async def skip_removed(conn: Connection, strategy_id: str, why: Why) -> list[Step]:
    """Waiting steps whose site was removed become aborted."""
    return await _steps(conn, "skip_removed", strategy_id=strategy_id, code=why.code, message=why.message)


async def changed_by(conn: Connection, strategy_id: str) -> dict[str, Changed]:
    """The sites that a strategy left other than it found them."""
    rows = await SQL.fetch(conn, "changed_by", strategy_id=strategy_id)
    return {row["site"]: Changed(row["before"], row["brought"]) for row in rows}


async def changed_in_stages(conn: Connection, strategy_id: str) -> dict[str, list[str]]:
    """The same sites, by the name of the stage in which each stood."""
    stages: dict[str, list[str]] = {}
    for row in await SQL.fetch(conn, "changed_in_stages", strategy_id=strategy_id):
        stages.setdefault(row["stage"], []).append(row["site"])
    return stages


async def count_steps(conn: Connection, strategy_id: str) -> dict[int, StageCount]:
    """What the steps of each stage come to."""
    rows = await SQL.fetch(conn, "count_steps", strategy_id=strategy_id)
    return {row["stage"]: _count(row) for row in rows}


def _count(row: asyncpg.Record) -> StageCount:
    return StageCount(Counts(**{name: row[name] for name in Counts.model_fields}), row["blocked"], row["first"])


class ReopenedStep(NamedTuple):
    """A step that waits again, and what it was before."""

    step: Step
    was_state: str
    was_code: str | None

    @staticmethod
    def of(row: asyncpg.Record) -> "ReopenedStep":
        """From a row with the columns of a step first."""
        *step, was_state, was_code = row
        return ReopenedStep(Step._make(step), was_state, was_code)


async def reopen_steps(conn: Connection, strategy_id: str, sites: Sequence[str]) -> list[ReopenedStep]:
    """Failed and aborted steps of these sites wait again, for a new attempt; without sites all that nobody skipped."""
    rows = await SQL.fetch(conn, "reopen_steps", strategy_id=strategy_id, sites=list(sites))
    return [ReopenedStep.of(row) for row in rows]


async def _ended(conn: Connection, query: str, why: Why, **values: Any) -> list[Ended]:
    rows = await SQL.fetch(conn, query, **values, code=why.code, message=why.message)
    return [Ended(Step._make(step), was_blocked) for *step, was_blocked in rows]


async def _steps(conn: Connection, query: str, **values: Any) -> list[Step]:
    return [Step._make(row) for row in await SQL.fetch(conn, query, **values)]
