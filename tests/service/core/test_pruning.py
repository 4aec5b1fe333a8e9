"""What is no longer needed goes in small batches; what may still be asked for stays, and nobody waits."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from shared.core import pruning
from shared.core.pruning import AT_ONCE, BLOCKS_AT_ONCE, Pruning, TableWalk, inbox, prune, prune_for_ever
from shared.core.transaction import Transaction
from shared.messages.strategy import RegisterSites, Site
from shared.process.service import Service
from tests.service.core.counter import tally, wire
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"
MANY = (
    """insert into inbox select 'old-' || n, '', 't', '{}', now() - interval '31 days' from generate_series(1, $1) n"""
)


def register(*names: str) -> RegisterSites:
    return RegisterSites(sites=tuple(Site(name=name) for name in names))


async def count(service: Service, table: str) -> int:
    return int(await service.pool.fetchval(f"select count(*) from {table}"))  # noqa: S608


async def age(service: Service, command: str, days: float) -> None:
    changed = "update inbox set answered_at = now() - $2::interval where command_id = $1"
    await service.pool.execute(changed, command, timedelta(days=days))


async def test_a_command_that_may_come_again_finds_its_answer(world: World) -> None:
    async with world.run(NAME, wire) as service:
        first = await world.ask(register("oslo"), message_id="c-1")
        await world.ask(register("bergen"), message_id="c-2")
        await age(service, "c-1", days=29.9)
        await age(service, "c-2", days=30.1)
        await prune(service.ledger, inbox(service.settings.inbox_days))
        await world.send(register("oslo"), message_id="c-1")
        await world.ask(register("last"))
        assert world.answers("c-1") == [first, first]
        assert (await tally(service))["oslo"] == 1
        assert await service.pool.fetchval("select count(*) from inbox where command_id = 'c-2'") == 0


async def test_the_window_is_never_shorter_than_the_topics_keep_commands(world: World) -> None:
    with pytest.raises(ValueError, match="inbox_days"):
        world.settings(NAME, inbox_days=7)


async def test_what_goes_goes_in_batches_each_in_a_transaction_of_its_own(world: World) -> None:
    async with world.run(NAME, wire) as service:
        await service.pool.execute(MANY, 2 * AT_ONCE + 1)
        async with service.ledger.transaction() as tx:
            assert await inbox(30).batch(tx, AT_ONCE)
        assert await count(service, "inbox") == AT_ONCE + 1
        await prune(service.ledger, inbox(30))
        assert await count(service, "inbox") == 0


async def test_rows_that_somebody_holds_are_left_and_nobody_waits_for_them(world: World) -> None:
    async with world.run(NAME, wire) as service:
        await service.pool.execute(MANY, 10)
        async with service.pool.acquire() as conn, conn.transaction():
            await conn.execute("select from inbox where command_id = 'old-1' for update")
            async with asyncio.timeout(5):
                await prune(service.ledger, inbox(30))
            assert await count(service, "inbox") == 1
        await prune(service.ledger, inbox(30))
        assert await count(service, "inbox") == 0


async def test_two_replicas_that_prune_at_once_do_no_harm(world: World) -> None:
    async with world.run(NAME, wire) as one, world.run(NAME, wire, instance="2") as two:
        await one.pool.execute(MANY, 5 * AT_ONCE)
        await asyncio.gather(prune(one.ledger, inbox(30)), prune(two.ledger, inbox(30)))
        assert await count(one, "inbox") == 0


async def test_a_sweep_comes_to_every_row_of_a_table_and_then_begins_anew(world: World) -> None:
    async with world.run(NAME, wire) as service:
        rows = BLOCKS_AT_ONCE * 30  # a row is a fifth of a block and more
        await service.pool.execute("create table grown (id integer, old boolean, filling text)")
        fill = "insert into grown select n, n % 2 = 0, repeat(md5(n::text), 60) from generate_series(1, $1) n"
        await service.pool.execute(fill, rows)

        async def walk(conn, first, behind):  # type: ignore[no-untyped-def]
            await conn.execute("delete from grown where ctid >= $1 and ctid < $2 and old", first, behind)

        sweep = Pruning("grown", TableWalk("grown", walk))
        await prune(service.ledger, sweep)
        assert await count(service, "grown") == rows / 2
        await service.pool.execute("update grown set old = true")
        await prune(service.ledger, sweep)
        assert await count(service, "grown") == 0


async def test_one_kind_that_breaks_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "PAUSE_SECONDS", 0)
    went = asyncio.Event()

    async def breaks(_tx: Transaction, _limit: int) -> bool:
        raise ValueError("broken")

    async def goes(_tx: Transaction, _limit: int) -> bool:
        went.set()
        return False

    async with world.run(NAME, wire) as service:
        prunings = [Pruning("first", breaks), Pruning("second", goes)]
        with capture_logs() as logs:
            task = asyncio.create_task(prune_for_ever(service.ledger, prunings, 0.01))
            await went.wait()
        task.cancel()
    assert [line["of"] for line in logs if line.get("action") == "prune_broke"][:1] == ["first"]
