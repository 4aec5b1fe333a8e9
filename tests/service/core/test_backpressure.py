"""Too much for the moment: work waits where it lies, figures say so, memory stays, and all of it is done once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import psutil
import pytest

from shared.messages.base import CommandRejected
from shared.messages.catalog import WithdrawRelease
from tests.support.probe import address, until_figures, until_ready
from tests.support.replica import Replica, replica
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

COMMANDS = 8000
"""More than a service could hold without growing beyond GROWTH_MIB."""

FEWER = 2000
"""Where it is not of memory."""

SPACE = 1
"""How much the blob store holds is said once, at the start."""

REASON = "because it is much too long for anybody to read " * 20
GROWTH_MIB = 60
"""What a service may grow by, whatever waits; the commands of a test alone are more than this as objects."""


async def test_a_slow_database_makes_commands_wait_in_kafka_and_not_in_memory(world: World) -> None:
    async with replica(world, "catalog", lease_seconds=2) as running:
        await until_ready(world.home, "catalog", "1")
        before = memory(running)
        async with holding(world, "lock table catalog.inbox in access exclusive mode"):
            await send_all(world)
            await until_figure(world, "belay_consumer_lag", lambda lag: lag == COMMANDS)
            assert memory(running) < before + GROWTH_MIB
        await until_all_answered_once(world)
        await until_figure(world, "belay_consumer_lag", lambda lag: lag == 0)
        assert memory(running) < before + GROWTH_MIB
        assert await running.stop() < 5


async def test_a_relay_that_is_held_up_leaves_answers_in_the_outbox_until_it_may_go_on(world: World) -> None:
    every_shard = "select pg_advisory_xact_lock(hashtext('catalog.outbox'), shard) from generate_series(0, 3) shard"
    once = {"catalog_measure_seconds": 86_400}
    async with holding(world, every_shard) as release, replica(world, "catalog", **once) as running:
        await until_ready(world.home, "catalog", "1")
        await send_all(world)
        await until_figure(world, "belay_outbox_depth", lambda depth: depth == COMMANDS + SPACE)
        assert [e for e in world.seen if isinstance(e.data, CommandRejected)] == []
        before = memory(running)
        await release()
        await until_all_answered_once(world)
        await until_figure(world, "belay_outbox_depth", lambda depth: depth == 0)
        assert memory(running) < before + GROWTH_MIB


async def test_while_nobody_consumes_nothing_is_lost(world: World) -> None:
    async with replica(world, "catalog") as stopped:
        await until_ready(world.home, "catalog", "1")
        await stopped.stop()
    await send_all(world, FEWER)
    async with replica(world, "catalog"):
        await until_all_answered_once(world, FEWER)
        await until_figure(world, "belay_consumer_lag", lambda lag: lag == 0)


async def test_a_service_whose_database_hangs_still_stops_in_time(world: World) -> None:
    async with replica(world, "catalog") as running:
        await until_ready(world.home, "catalog", "1")
        async with holding(world, "lock table catalog.inbox in access exclusive mode"):
            await send_all(world, FEWER)
            await until_figure(world, "belay_consumer_lag", lambda lag: lag == FEWER)
            assert await running.end() == 0
    async with replica(world, "catalog"):
        await until_all_answered_once(world, FEWER)


async def send_all(world: World, count: int = COMMANDS) -> None:
    """Commands that are refused, each with its own answer: there is no such release."""
    for start in range(0, count, 1000):
        command = WithdrawRelease(app="lamp", version="1.0.0", reason=REASON)
        await asyncio.gather(*(world.send(command, message_id=f"c-{start + n}") for n in range(1000)))


async def until_all_answered_once(world: World, count: int = COMMANDS) -> None:
    await world.until(CommandRejected, lambda e: e.command_id == f"c-{count - 1}")
    answers = Counter(e.data.command_id for e in world.seen if isinstance(e.data, CommandRejected))
    assert answers == Counter(f"c-{number}" for number in range(count))
    assert world.dead == []


async def until_figure(world: World, name: str, holds: Callable[[float], bool]) -> None:
    url = address(world.home, "catalog", "1")
    assert url
    await until_figures(url, lambda found: holds(found.get(name, 0)))


def memory(running: Replica) -> float:
    """Resident, in MiB."""
    return float(psutil.Process(running.process.pid).memory_info().rss) / 2**20


@asynccontextmanager
async def holding(world: World, statement: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """A transaction of somebody else that holds up a service until the end of the block, or until it is released."""
    conn = await asyncpg.connect(world.database_dsn)
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute(statement)
    try:
        yield transaction.rollback
    finally:
        await conn.close()
