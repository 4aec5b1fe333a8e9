"""Rows are locked in one order, or passed by: transactions that want the same ones never wait for each other."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.deployer.automatic import aftermath, survey_store
from services.deployer.automatic.aftermath import End
from services.deployer.deletion import store as deletion
from services.deployer.domain import AUTOMATIC, Operation, Outcome
from services.deployer.drivers.durable import store as orders
from services.deployer.handlers import remove_sites
from services.deployer.prestage.store import SQL as PRESTAGES
from services.deployer.site_runs.planning import Item, Run
from services.deployer.site_runs.running import stop_what_runs
from services.deployer.store import Store
from services.deployer.waiting.store import WaitingStore
from shared.messages.base import Cause
from shared.messages.catalog import ReleaseDeleted
from shared.messages.strategy import SitesRemoved
from shared.messages.words import OperationKind
from shared.process.db import Pool, connect_pool
from shared.wire.codec import Envelope
from tests.support.file_tool import order
from tests.support.lock_orders import waits_empty_handed

pytestmark = pytest.mark.service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WHY = Cause(code="not_prepared", message="its image could not be fetched")
OPERATIONS = {"c": "rome", "a": "bern", "b": "oslo"}
"""With their sites. The first to be locked is stored neither first nor last."""
SITES = tuple(OPERATIONS.values())

OPERATION = """
    insert into operation (id, site, app, kind, to_version, timeout_seconds, correlation_id, actor, requested_at)
    values ($1, $2, 'shop', 'apply', '1.0', 60, '', '', $3)
"""
BEGUN = OPERATION.replace("$1, $2", "'{site}', '{site}'").replace("$3", "now()")
WISH = """
    insert into automatic_wish (site, app, cause, noted_at, due_at, tries, operation_id)
    values ($1, 'shop', '{}', now(), now(), 1, $2)
"""
DEPLOYMENT = """
    insert into deployment (site, app, version, status, history, prestaged, operation_id)
    values ($1, 'shop', '2.0', 'operational', '{1.0}',
        jsonb_build_array(jsonb_build_object('bundle_sha256', repeat('f', 64))), 'o')
"""
RELEASE = """
    insert into release (app, version, scheme, bundle_sha256, components, drivers, deletion, deletion_at)
    values ('shop', '1.0', 'pep440', repeat('f', 64), '[]', '{}', 'd1', '-infinity')
"""
ORDER = """
    insert into driver_order (key, driver, site, app, component)
    values ('{key}', 'simulated', '{key}', 'lamp', 'bulb')
"""
JOB = "insert into job (queue, id, due_at, payload) values ('q', '{key}', now(), '{{}}')"
HELD = "select from {} for update"


@pytest.fixture
async def pool(deployer_database: str) -> AsyncIterator[Pool]:
    """To which rows come as they are stored, as they do where most of a large table is read."""
    async with await connect_pool(deployer_database, enable_indexscan="off") as made:
        yield made


@pytest.fixture
async def waiting(pool: Pool) -> Pool:
    """Operations that wait for a preparation, longer than they may."""
    await operations(pool)
    await pool.execute("update operation set awaits = 'c1', on_behalf = 'somebody'")
    return pool


async def operations(pool: Pool) -> None:
    for identifier, site in OPERATIONS.items():
        await pool.execute(OPERATION, identifier, site, NOW)


async def wishes(pool: Pool, *, under_way: bool = False) -> None:
    for identifier, site in OPERATIONS.items():
        await pool.execute(WISH, site, identifier if under_way else None)


def operation(identifier: str, actor: str = "") -> Operation:
    what = (identifier, OPERATIONS[identifier], "shop", OperationKind.APPLY, None, "1.0", 60)
    return Operation(*what, actor=actor)


def row(table: str, **where: str) -> str:
    """The statement that holds it."""
    ((column, value),) = where.items()
    return HELD.format(f"{table} where {column} = '{value}'")


def behind(table: str, **where: str) -> str:
    """The statement that holds those which come later."""
    return row(table, **where).replace(" = ", " > ")


FREEING: dict[str, dict[str, Any]] = {
    "free_prepared": {"versions": ["1.0"]},
    "free_failed": {
        "failed": [{"app": "shop", "version": "1.0", "cause": WHY.model_dump(), "failed_for": ["somebody"]}],
    },
    "free_refused": {"commands": ["c1"], "causes": [WHY.model_dump()]},
}


@pytest.mark.parametrize("query", FREEING)
async def test_operations_whose_preparation_has_ended_are_locked_in_order_of_their_ids(
    waiting: Pool, query: str
) -> None:
    named = FREEING[query] if query == "free_failed" else {"apps": ["shop"], **FREEING[query]}
    first, later = row("operation", id="a"), behind("operation", id="a")
    await waits_empty_handed(waiting, first, later, lambda tx: PRESTAGES.run(tx.conn, query, **named))
    refused = None if query == "free_prepared" else WHY.model_dump()
    rows = await waiting.fetch("select awaits, refused from operation")
    assert [(each["awaits"], each["refused"]) for each in rows] == [(None, refused)] * 3


async def test_whose_time_is_up_waits_for_nobody_who_holds_another(waiting: Pool) -> None:
    async with waiting.acquire() as holding, holding.transaction():
        await holding.execute(row("operation", id="b"))
        async with asyncio.timeout(5):
            assert await WaitingStore(waiting).free_overdue(datetime.now(UTC)) == 2
    freed = "select array_agg(id order by id) from operation where refused->>'code' = 'timeout' and awaits is null"
    assert await waiting.fetchval(freed) == ["a", "c"]
    assert await WaitingStore(waiting).free_overdue(datetime.now(UTC)) == 1


async def test_who_ends_in_order_does_not_wait_for_what_somebody_holds_of_his(pool: Pool) -> None:
    await operations(pool)
    await Store(pool).add_runner("1/one", "1", 60)
    await pool.execute("update operation set runner = '1/one'")
    async with pool.acquire() as holding, holding.transaction():
        await holding.execute(row("operation", id="b"))
        async with asyncio.timeout(5):
            await Store(pool).remove_runner("1/one")
        assert await pool.fetchval("select array_agg(id) from operation where runner is not null") == ["b"]
    assert await Store(pool).release_lapsed() == 1  # what was passed by is found later


async def test_what_is_deleted_is_forgotten_in_the_order_in_which_ends_of_operations_are_put(pool: Pool) -> None:
    for site in SITES:
        await pool.execute(DEPLOYMENT, site)
    gone = [ReleaseDeleted(release_id="shop-1.0", app="shop", version="1.0", bundle_sha256="f" * 64)]
    first, later = row("deployment", site="bern"), behind("deployment", site="bern")
    await waits_empty_handed(pool, first, later, lambda tx: deletion.forget(tx.conn, gone))
    assert await pool.fetchval("select count(*) from deployment where history = '{}' and prestaged is null") == 3


async def test_who_asks_whether_a_release_is_needed_does_not_wait_for_an_end_that_keeps_it(pool: Pool) -> None:
    await pool.execute(RELEASE)
    async with pool.acquire() as holding, holding.transaction():
        assert await Store(holding).keep_releases([("shop", "1.0")])
        async with asyncio.timeout(5):
            (use,) = await deletion.uses(pool, NOW, timedelta(0))
    assert use.deletion == "d1"


async def test_what_is_known_of_sites_that_go_is_locked_before_what_is_wished_for_there(pool: Pool) -> None:
    await wishes(pool)
    await pool.execute("insert into availability (site, since, bucket) values ('oslo', now(), 0)")
    gone = Envelope(data=SitesRemoved(names=("oslo",)), id="e1", source="/test", time=NOW, sequence=1)
    known, wished = row("availability", site="oslo"), row("automatic_wish", site="oslo")
    await waits_empty_handed(pool, known, wished, lambda tx: remove_sites(tx, [gone]))
    assert await pool.fetchval("select count(*) from automatic_wish where site = 'oslo'") == 0


async def test_operations_are_stored_in_order_of_their_sites(pool: Pool) -> None:
    asked = [operation(identifier) for identifier in OPERATIONS]
    first, later = BEGUN.format(site="bern"), BEGUN.format(site="rome")
    await waits_empty_handed(pool, first, later, lambda tx: Store(tx.conn).insert_operations(asked, None, NOW))
    assert await pool.fetchval("select array_agg(id order by id) from operation") == ["b", "bern", "c"]


async def test_what_runs_over_sites_are_to_stop_is_locked_in_order_of_the_operations(pool: Pool) -> None:
    await operations(pool)
    runs = [
        Run(f"r-{site}", site, "apply", "stopping", (Item(1, "shop", "apply", "running", operation_id=o),), False, "no")
        for o, site in OPERATIONS.items()
    ]
    first, later = row("operation", id="a"), behind("operation", id="a")
    await waits_empty_handed(pool, first, later, lambda tx: stop_what_runs(tx, runs))
    assert await pool.fetchval("select array_agg(distinct cancel_reason) from operation") == ["no"]


async def test_wishes_of_operations_that_ended_are_locked_in_one_order_however_they_ended(pool: Pool) -> None:
    await wishes(pool, under_way=True)
    outcomes = {"c": Outcome.SUCCEEDED, "a": Outcome.RECOVERED, "b": Outcome.RECOVERED}
    ends = [End(operation(identifier, AUTOMATIC), outcome, WHY) for identifier, outcome in outcomes.items()]
    first, later = row("automatic_wish", site="bern"), behind("automatic_wish", site="bern")
    await waits_empty_handed(pool, first, later, lambda tx: aftermath.note(tx, ends))
    left = "select array_agg(site order by site) from automatic_wish where operation_id is null"
    assert await pool.fetchval(left) == ["bern", "oslo"]


async def test_wishes_that_may_be_tried_again_are_locked_in_order_of_their_sites(pool: Pool) -> None:
    await wishes(pool)
    first, later = row("automatic_wish", site="bern"), behind("automatic_wish", site="bern")
    await waits_empty_handed(pool, first, later, lambda tx: survey_store.clear_wishes(tx.conn, "shop"))
    assert await pool.fetchval("select sum(tries) from automatic_wish") == 0


async def test_a_wish_that_somebody_holds_is_dropped_at_the_next_look(pool: Pool) -> None:
    await wishes(pool)
    pairs = [(site, "shop") for site in SITES]
    async with pool.acquire() as holding, holding.transaction():
        await holding.execute(row("automatic_wish", site="oslo"))
        async with asyncio.timeout(5):
            await survey_store.drop_wishes(pool, pairs)
    assert await pool.fetchval("select array_agg(site) from automatic_wish") == ["oslo"]
    await survey_store.drop_wishes(pool, pairs)
    assert await pool.fetchval("select count(*) from automatic_wish") == 0


@pytest.mark.parametrize("keep", [orders.begin_orders, orders.cancel_orders])
async def test_orders_of_drivers_are_kept_in_order_of_their_keys(pool: Pool, keep: Any) -> None:
    a, b = (ORDER.format(key=key) for key in "ab")
    asked = [order("b", "b"), order("a", "a")]
    await waits_empty_handed(pool, a, b, lambda tx: keep(tx.conn, asked))
    assert await pool.fetchval("select count(*) from driver_order") == 2


async def test_jobs_are_queued_in_order_of_their_ids(pool: Pool) -> None:
    a, b = (JOB.format(key=key) for key in "ab")
    await waits_empty_handed(pool, a, b, lambda tx: tx.put_jobs("q", [("b", {}), ("a", {})]))
    assert await pool.fetchval("select count(*) from job") == 2
