"""The relay: whoever commits, records go out at once and in order."""

import asyncio
import os

import asyncpg
import pytest

from shared.core.outbox import batches
from shared.core.transaction import SQL
from shared.messages.strategy import Site, SitesChanged
from shared.wire.topics import DEAD_LETTERS
from tests.service.core.counter import wire
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service

NEVER = 60_000

HOLD_DELETES = """
    create function wait_for_the_test() returns trigger language plpgsql as
        'begin perform pg_advisory_xact_lock(4711); return old; end';
    create trigger wait_for_the_test before delete on outbox for each row execute function wait_for_the_test()"""

CUT = """select pg_terminate_backend(pid) from pg_stat_activity
         where pid <> pg_backend_pid() and datname = current_database() and backend_type = 'client backend'"""


async def test_what_a_replica_without_a_shard_commits_is_sent_at_once_by_the_one_that_has_them(world: World) -> None:
    async with (
        world.run("strategy_orchestrator", wire, "1", relay_fallback_ms=NEVER) as owner,
        world.run("strategy_orchestrator", wire, "2", relay_fallback_ms=NEVER) as other,
    ):
        for number in range(1, 21):
            service = (owner, other)[number % 2]
            async with service.ledger.transaction() as tx:
                tx.emit(SitesChanged(sites=(Site(name=f"s-{number}"),)), sequence=number)
            await world.until(SitesChanged, lambda event, number=number: event.sites[0].name == f"s-{number}", 10)
    told = [event.sites[0].name for event in world.events(SitesChanged)]
    assert told == [f"s-{number}" for number in range(1, 21)]


async def test_a_relay_whose_process_was_stopped_loses_its_shards_to_one_that_lives(world: World) -> None:
    quick = {"lease_seconds": 0.5, "relay_fallback_ms": 100}
    async with world.run("strategy_orchestrator", wire) as first:
        assert await first.pool.fetchval("select 1") == 1  # the schema is there
    stopped = await asyncpg.connect(world.settings("strategy_orchestrator").postgres)
    shards = "select pg_advisory_lock(hashtext(current_schema() || '.outbox'), s) from generate_series(0, 3) s"
    try:
        await stopped.execute(shards)
        async with world.run("strategy_orchestrator", wire, "2", **quick) as second:
            async with second.ledger.transaction() as tx:
                tx.emit(SitesChanged(sites=(Site(name="s-1"),)), sequence=1)
            await world.until(SitesChanged)
            assert stopped.is_closed()
    finally:
        stopped.terminate()


async def test_large_batches_are_read_a_few_at_a_time_and_all_are_sent(world: World) -> None:
    large = [os.urandom(10_000_000) for _ in range(5)]
    async with world.run("strategy_orchestrator", wire, relay_fallback_ms=NEVER) as service:
        async with service.pool.acquire() as conn, conn.transaction():
            for body in large:
                record = ("strategy.commands" + DEAD_LETTERS, b"k", [], body)
                ((shard, count, batch),) = batches([record])
                await SQL.run(conn, "put_outbox", shards=[shard], counts=[count], batches=[batch])
            for most, batches_read in ((25_000_000, 2), (1, 1), (99_000_000, 5)):
                found = await SQL.fetch(conn, "next_outbox", shards=range(4), limit=100, bytes=most)
                assert [row["batch"] is not None for row in found] == [number < batches_read for number in range(5)]
        service.ledger.outbox_filled.ring()
        for body in large:
            await world.dead_letter(lambda letter, body=body: letter.value == body)
        assert [letter.value for letter in world.dead] == large


async def test_a_relay_whose_connection_was_cut_stops_when_it_is_told_to(world: World) -> None:
    async with patience(20), world.run("strategy_orchestrator", wire, relay_fallback_ms=NEVER) as service:
        async with service.ledger.transaction() as tx:
            tx.emit(SitesChanged(sites=(Site(name="s-1"),)), sequence=1)
        await world.until(SitesChanged)
        await service.pool.execute(CUT)
        await asyncio.sleep(0.2)  # nothing tells us that the relay's end of the connection has noticed


async def test_a_relay_that_is_told_to_stop_takes_what_it_has_sent_off_the_outbox_first(world: World) -> None:
    test = await asyncpg.connect(world.settings("strategy_orchestrator").postgres)
    try:
        await test.execute("select pg_advisory_lock(4711)")
        async with world.run("strategy_orchestrator", wire, relay_fallback_ms=NEVER) as service:
            await service.pool.execute(HOLD_DELETES)
            async with service.ledger.transaction() as tx:
                tx.emit(SitesChanged(sites=(Site(name="s-1"),)), sequence=1)
            await world.until(SitesChanged)  # sent, and about to be deleted
            asyncio.get_running_loop().call_later(
                0.3, lambda: asyncio.ensure_future(test.execute("select pg_advisory_unlock(4711)"))
            )
        assert await test.fetchval("select count(*) from outbox") == 0
    finally:
        await test.close()
