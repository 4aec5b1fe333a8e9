"""Steps of ended strategies that wait for their site to be back. One typed method a query of catching_up.sql."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from services.strategy_orchestrator.store.steps import ReopenedStep
from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("catching_up.sql"))

OFFLINE_CODES = ("offline", "site_offline", "unreachable")
"""Reasons of steps whose site was offline: by the orchestrator, by the deployer's precheck, by drivers."""

MOST_TRIES = 8
"""So often a site is tried again by itself: one that comes and goes does not keep its strategy busy for ever."""

PAUSE = timedelta(seconds=15)
"""Before the first of these tries; twice as long before each further one."""


async def note(conn: Connection, strategy_id: str, now: datetime) -> int:
    """Note the steps of an ended strategy whose site was offline; how many are to be tried again."""
    await SQL.run(conn, "note", strategy_id=strategy_id, codes=list(OFFLINE_CODES), now=now, pause=PAUSE)
    return cast("int", await SQL.value(conn, "outstanding", strategy_id=strategy_id, most=MOST_TRIES))


async def failed_otherwise(conn: Connection, strategy_id: str) -> int:
    """How many steps failed for another reason than that their site was offline."""
    codes = list(OFFLINE_CODES)
    return cast("int", await SQL.value(conn, "failed_otherwise", strategy_id=strategy_id, codes=codes))


async def reopen_back(conn: Connection, strategy_id: str, now: datetime) -> list[ReopenedStep]:
    """Steps whose site is back wait again, for a new attempt."""
    rows = await SQL.fetch(conn, "reopen_back", strategy_id=strategy_id, most=MOST_TRIES, now=now)
    return [ReopenedStep.of(row) for row in rows]


async def next_due(conn: Connection, strategy_id: str, now: datetime) -> datetime | None:
    """When the first of those whose site is back already may be tried again; None = all that are left are away."""
    due = await SQL.value(conn, "next_due", strategy_id=strategy_id, most=MOST_TRIES, now=now)
    return cast("datetime | None", due)


async def waited_for(conn: Connection, sites: Sequence[str]) -> list[str]:
    """The strategies that wait for those of these sites that are back."""
    rows = await SQL.fetch(conn, "waited_for", sites=list(sites), most=MOST_TRIES)
    return [row["strategy_id"] for row in rows]


async def forget(conn: Connection, strategy_id: str) -> None:
    """Nothing of the strategy is tried again by itself."""
    await SQL.run(conn, "forget", strategy_id=strategy_id)
