"""Rows are locked in one order, or passed by: transactions that want the same ones never wait for each other."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from services.deployer.store import Store
from shared.process.db import Pool, connect_pool

pytestmark = pytest.mark.service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OPERATIONS = {"c": "rome", "a": "bern", "b": "oslo"}
"""With their sites. The first to be locked is stored neither first nor last."""
SITES = tuple(OPERATIONS.values())

OPERATION = """
    insert into operation (id, site, app, kind, to_version, timeout_seconds, correlation_id, actor, requested_at)
    values ($1, $2, 'shop', 'apply', '1.0', 60, '', '', $3)
"""
HELD = "select from {} for update"


@pytest.fixture
async def pool(deployer_database: str) -> AsyncIterator[Pool]:
    """To which rows come as they are stored, as they do where most of a large table is read."""
    async with await connect_pool(deployer_database, enable_indexscan="off") as made:
        yield made


async def operations(pool: Pool) -> None:
    for identifier, site in OPERATIONS.items():
        await pool.execute(OPERATION, identifier, site, NOW)


def row(table: str, **where: str) -> str:
    """The statement that holds it."""
    ((column, value),) = where.items()
    return HELD.format(f"{table} where {column} = '{value}'")


def behind(table: str, **where: str) -> str:
    """The statement that holds those which come later."""
    return row(table, **where).replace(" = ", " > ")


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
