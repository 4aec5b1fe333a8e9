"""What PostgreSQL does with the statements of each step, in the midst of a roll-out over a fleet that knows others.

It counts the rows of a table now and then, and a roll-out is over before: what it knows of then is the roll-out before.
A statement that was quick in every test may read all that waits for each few steps, or compare each of a batch with
each of those under way. Here the stores' own methods run on such tables, and PostgreSQL tells what it did.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.deployer.store import FinishedRow, Store
from services.strategy_orchestrator.fleet.group_limits import GroupQueue
from services.strategy_orchestrator.store import groups, steps
from shared.process import provision
from shared.process.db import Connection, connect_alone, connect_pool, migrate

pytestmark = pytest.mark.service

AT_ONCE = 500
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAID_IN_FULL = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
}

FLEET = "create temp table fleet as select n, 's' || n as site from generate_series(1, 10000) n"
SITES = "insert into site (name, connections) select site, '{}' from fleet"
STRATEGIES = (
    "insert into strategy (id, name, type, app, spec, state, why_code, why_message, created_at)"
    " select id, id, 'update', 'shop', '{}', state, '', '', now()"
    " from (values ('before', 'complete'), ('now', 'applying')) as s (id, state)"
)
STEPS = "insert into step (strategy_id, position, stage, site, state) select '%s', n - 1, 0, site, '%s' from fleet"
OPERATIONS = (
    "insert into operation (id, site, app, kind, timeout_seconds, correlation_id, actor, requested_at,"
    " runner, state, finished_at) select '%s' || n, site, 'shop', 'update', 60, '', '', now(), 'me',"
    " '%s', %s from fleet"
)
REVISIONS = (
    "insert into component_revision (site, app, component, version, revision, driver, digest)"
    " select site, 'shop', 'web', v, v, 'simulated', v from fleet, (values ('1'), ('2')) v (v)"
)

Node = dict[str, Any]


class Watched:
    """A connection, and what PostgreSQL did for each statement on it."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.plans: list[Node] = []
        conn.add_log_listener(self._note)

    def _note(self, _: object, told: asyncpg.PostgresLogMessage) -> None:
        if told.message and "plan:\n" in told.message:
            self.plans.append(json.loads(told.message.partition("plan:\n")[2])["Plan"])


@asynccontextmanager
async def watched(database: str, service: str, home: Path, *script: str) -> AsyncIterator[Watched]:
    """The tables of a service after these statements; what follows is watched."""
    name = urlsplit(database).path.lstrip("/")
    await provision.create_schemas(database, home, name)
    async with await connect_pool(provision.service_dsn(database, service, home, name)) as pool:
        await migrate(pool, f"services.{service}")
    conn = await connect_alone(database, search_path=service)
    try:
        for statement in (FLEET, *script):
            await conn.execute(statement)
        await conn.execute("load 'auto_explain'")
        for setting, value in SAID_IN_FULL.items():
            await conn.execute(f"set {setting} = '{value}'")
        yield Watched(conn)
    finally:
        await conn.close()


def nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def most_rows(plans: list[Node]) -> float:
    """That any part of a statement handled, those it threw away among them."""
    assert plans
    rows = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")
    return max(sum(node.get(name, 0) for name in rows) * node["Actual Loops"] for plan in plans for node in nodes(plan))


async def test_steps_begin_without_a_look_at_all_that_wait(database: str, tmp_path: Path) -> None:
    known = (SITES, STRATEGIES, STEPS % ("before", "complete"), "analyze", STEPS % ("now", "waiting"))
    async with watched(database, "strategy_orchestrator", tmp_path, *known) as seen:
        begun = await steps.start_steps(seen.conn, "now", 0, 1_000, AT_ONCE, "b", NOW)
        assert {step.position for step in begun} == set(range(1_000, 1_000 + AT_ONCE))
        assert most_rows(seen.plans) <= 2 * AT_ONCE


async def test_steps_of_a_large_group_begin_without_a_look_at_all_of_it(database: str, tmp_path: Path) -> None:
    grouped = "update step set group_name = 'north' where strategy_id = 'now'"
    known = (SITES, STRATEGIES, STEPS % ("before", "complete"), "analyze", STEPS % ("now", "waiting"), grouped)
    async with watched(database, "strategy_orchestrator", tmp_path, *known) as seen:
        queues = {"north": GroupQueue("north", 9_000, 1_000, waits_for_group=False)}
        begun = await groups.start_steps(seen.conn, "now", 0, queues, {"north": AT_ONCE}, "b", NOW)
        assert {step.position for step in begun} == set(range(1_000, 1_000 + AT_ONCE))
        assert most_rows(seen.plans) <= 2 * AT_ONCE


async def test_steps_that_stand_far_behind_others_that_do_not_wait_are_found_all_the_same(
    database: str, tmp_path: Path
) -> None:
    gap = "update step set state = 'aborted' where strategy_id = 'now' and position between 10 and 8999"
    known = (SITES, STRATEGIES, STEPS % ("now", "waiting"), gap)
    async with watched(database, "strategy_orchestrator", tmp_path, *known) as seen:
        begun = await steps.start_steps(seen.conn, "now", 0, 5, 20, "b", NOW)
        assert {step.position for step in begun} == {*range(5, 10), *range(9_000, 9_015)}
        last = await steps.start_steps(seen.conn, "now", 0, 9_995, 20, "c", NOW)
        assert {step.position for step in last} == set(range(9_995, 10_000))


async def test_operations_end_without_each_being_compared_with_all_that_end(database: str, tmp_path: Path) -> None:
    known = (OPERATIONS % ("old", "succeeded", "now()"), "analyze", OPERATIONS % ("new", "queued", "null"))
    async with watched(database, "deployer", tmp_path, *known) as seen:
        ended = [FinishedRow(f"new{n}", "succeeded", (), alone=False) for n in range(1, AT_ONCE + 1)]
        assert len(await Store(seen.conn).finish_operations("me", ended, NOW)) == AT_ONCE
        assert await Store(seen.conn).finish_operations("me", ended, NOW) == {}, "they have ended"
        assert most_rows(seen.plans) <= 2 * AT_ONCE


async def test_what_was_recorded_is_looked_up_and_not_read_for_the_whole_fleet(database: str, tmp_path: Path) -> None:
    async with watched(database, "deployer", tmp_path, REVISIONS, "analyze") as seen:
        found = await Store(seen.conn).revisions([(f"s{n}", "shop", ("2", "3")) for n in range(1, AT_ONCE + 1)])
        assert {pair: [each.version for each in records] for pair, records in found.items()} == {
            (f"s{n}", "shop"): ["2"] for n in range(1, AT_ONCE + 1)
        }
        assert most_rows(seen.plans) <= 2 * AT_ONCE
