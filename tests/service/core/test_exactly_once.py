"""A message has its effect once: under duplicates, replicas, replays, crashes and hostile records."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.messages.strategy import CommandAccepted, CommandRejected, RegisterSites, Site, SitesChanged
from shared.process.service import Service
from tests.service.core.counter import tally, wire
from tests.support.patience import patience
from tests.support.world import PATIENCE, World

pytestmark = [pytest.mark.service, pytest.mark.long]

NAME = "strategy_orchestrator"


def register(*names: str) -> RegisterSites:
    return RegisterSites(sites=tuple(Site(name=name) for name in names))


async def test_a_command_has_its_effect_and_one_answer(world: World) -> None:
    async with world.run(NAME, wire) as service:
        answer = await world.ask(register("oslo", "bergen"))
        assert isinstance(answer, CommandAccepted)
        assert answer.result == {"sites": 2}
        assert await tally(service) == {"oslo": 1, "bergen": 1}


async def test_the_same_command_again_gets_the_same_answer_and_no_second_effect(world: World) -> None:
    async with world.run(NAME, wire) as service:
        first = await world.ask(register("oslo"), message_id="c-1")
        await world.send(register("oslo"), message_id="c-1")
        await world.ask(register("last"))
        assert world.answers("c-1") == [first, first]
        told, again = (e for e in world.seen if getattr(e.data, "command_id", "") == "c-1")
        assert (again.id, again.time) == (told.id, told.time), "nobody takes it for something new"
        assert (await tally(service))["oslo"] == 1


async def test_an_id_used_with_other_content_is_refused(world: World) -> None:
    async with world.run(NAME, wire) as service:
        await world.ask(register("oslo"), message_id="c-1")
        await world.send(register("bergen"), message_id="c-1")
        refusal = await world.until(CommandRejected, lambda e: e.command_id == "c-1")
        assert refusal.code == "command_id_reused"
        assert "bergen" not in await tally(service)


async def test_repeats_within_one_batch_count_once(world: World) -> None:
    await asyncio.gather(*(world.send(register("oslo"), message_id="c-1") for _ in range(20)))
    async with world.run(NAME, wire) as service:
        await world.ask(register("last"))
        assert (await tally(service))["oslo"] == 1
        assert len(world.answers("c-1")) == 20


async def test_a_record_that_breaks_the_handler_goes_alone_to_the_dead_letters(world: World) -> None:
    for name in ["a", "b", "poison", "c", "d"]:
        await world.send(register(name), message_id=f"c-{name}")
    async with world.run(NAME, wire) as service:
        letter = await world.dead_letter()
        assert b"poison" in letter.value
        refusal = await world.answer("c-poison")
        assert isinstance(refusal, CommandRejected)
        assert refusal.code == "internal"
        await world.answer("c-d")
        assert await tally(service) == dict.fromkeys("abcd", 1)


async def test_a_command_that_broke_its_handler_and_comes_again_gets_the_same_answer(world: World) -> None:
    async with world.run(NAME, wire):
        first = await world.ask(register("poison"), message_id="c-1")
        await world.send(register("poison"), message_id="c-1")  # as a relay does after a crash
        await world.ask(register("last"))
        assert isinstance(first, CommandRejected)
        assert first.code == "internal"
        assert world.answers("c-1") == [first, first]
        assert len(world.dead) == 1


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"{}", {"ce_id": "x-1", "ce_type": "belay.strategy.register_sites.v1"}, "missing_field"),
        (b"[]", {"ce_id": "x-1", "ce_type": "belay.strategy.register_sites.v1"}, "unreadable"),
        (b"\xff\x00", {"ce_id": "x-1", "ce_type": "belay.strategy.register_sites.v1"}, "unreadable"),
        (b"{}", {"ce_id": "x-1", "ce_type": "belay.strategy.register_sites.v9"}, "unknown_type"),
        (b'{"sites":"\\u0000"}', {"ce_id": "x-1", "ce_type": "belay.strategy.register_sites.v1"}, "unreadable"),
        (b"{}", {"ce_id": "x-1", "ce_type": "belay.deployer.request_operation.v1"}, "unknown_type"),
        (b"{}", {"ce_id": "x-1"}, "unreadable"),
        (b"{}", {"ce_id": "x-1", "ce_type": "a\x00b"}, "unknown_type"),
        (
            b'{"sites":[{"name":"a","colour":1}]}',
            {"ce_id": "x-1", "ce_type": "belay.strategy.register_sites.v1"},
            "unknown_field",
        ),
    ],
)
async def test_a_record_that_cannot_be_read_is_answered_and_kept_and_blocks_nothing(
    world: World, body: bytes, headers: dict[str, str], code: str
) -> None:
    await world.send_raw("strategy.commands", body, headers, key=b"\x00\xff")  # what no answer may hold
    async with world.run(NAME, wire):
        assert isinstance(await world.ask(register("next")), CommandAccepted)
        refusal = await world.answer("x-1")
        assert isinstance(refusal, CommandRejected)
        assert refusal.code == code
        letter = await world.dead_letter()
        assert letter.value == body


async def test_a_record_without_an_id_goes_to_the_dead_letters_unanswered(world: World) -> None:
    await world.send_raw("strategy.commands", b"rubbish", {})
    async with world.run(NAME, wire):
        await world.ask(register("next"))
        assert (await world.dead_letter()).value == b"rubbish"


async def test_a_second_replica_takes_over_without_loss_or_repetition(world: World) -> None:
    names = [f"site-{n}" for n in range(60)]
    async with world.run(NAME, wire, "1") as first:
        sending = asyncio.create_task(send_slowly(world, names))
        async with world.run(NAME, wire, "2"):
            await sending
            for name in names[::2]:
                await world.answer(f"c-{name}")
        for name in names:
            await world.answer(f"c-{name}")
        assert await tally(first) == dict.fromkeys(names, 1)


async def send_slowly(world: World, names: list[str]) -> None:
    for name in names:
        await world.send(register(name), message_id=f"c-{name}")


async def test_a_replica_that_lost_its_partition_cannot_commit(world: World) -> None:
    async with world.run(NAME, wire) as service:
        await world.ask(register("oslo"))
        await service.pool.execute("update consumed set epoch = epoch + 1")  # as another replica's take-over does
        await world.send(register("bergen"), message_id="c-2")
        await asyncio.sleep(1)  # nothing may happen: there is no event to wait for
        assert "bergen" not in await tally(service)
    async with world.run(NAME, wire) as service:
        await world.answer("c-2")
        assert await tally(service) == {"oslo": 1, "bergen": 1}


async def test_what_the_predecessor_still_handled_while_we_took_over_is_not_taken_for_a_lost_log(world: World) -> None:
    async with world.run(NAME, wire):
        await world.ask(register("oslo"))

    taken = asyncio.Event()

    async def taking_over(service: Service) -> None:
        await wire(service)
        assign = service.ledger.assign

        async def late(positions: Sequence[Any]) -> list[Any]:
            await world.send(register("bergen"))
            await service.pool.execute("update consumed set next_offset = 2 where topic like '%strategy.commands'")
            taken.set()
            return await assign(positions)

        service.ledger.assign = late  # type: ignore[method-assign]

    with capture_logs() as logs:
        async with world.run(NAME, taking_over, "2") as service:
            await taken.wait()
            await world.ask(register("tromso"))
            assert await tally(service) == {"oslo": 1, "tromso": 1}
    assert "log_lost" not in {line.get("action") for line in logs}


async def test_a_replay_from_an_older_offset_changes_nothing(world: World) -> None:
    async with world.run(NAME, wire) as service:
        for n in range(5):
            await world.ask(register("oslo"), message_id=f"c-{n}")
        before = await tally(service)
        await service.pool.execute("update consumed set next_offset = 0")
    async with world.run(NAME, wire) as service:
        await world.ask(register("last"))
        assert await tally(service) == before | {"last": 1}


async def test_connections_cut_in_the_middle_lose_and_repeat_nothing(world: World) -> None:
    names = [f"site-{n}" for n in range(40)]
    async with world.run(NAME, wire) as service:
        sending = asyncio.create_task(send_slowly(world, names))
        for _ in range(5):
            await cut_connections(world)
            await asyncio.sleep(0.1)
        await sending
        for name in names:
            await world.answer(f"c-{name}")
        assert await tally(service) == dict.fromkeys(names, 1)
        ids = {e.id for e in world.seen if isinstance(e.data, SitesChanged)}
        assert len(ids) == len(names)


async def cut_connections(world: World) -> None:
    import asyncpg

    conn = await asyncpg.connect(world.database_dsn)
    await conn.execute(
        """select pg_terminate_backend(pid) from pg_stat_activity
           where pid <> pg_backend_pid() and datname = current_database()"""
    )
    await conn.close()


async def test_partitions_are_taken_over_in_one_order_whatever_order_they_come_in(world: World) -> None:
    """In their own orders two replicas that take over the same ones would wait for each other."""
    async with world.run(NAME, wire) as service:
        places = [("a", 0, 0, None), ("b", 0, 0, None)]
        await service.ledger.assign(places)
        async with service.pool.acquire() as conn, conn.transaction():
            await conn.execute("update consumed set epoch = epoch where topic = 'a'")
            other = asyncio.create_task(service.ledger.assign(places[::-1]))
            waiting = "select count(*) from pg_locks where not granted and pid <> pg_backend_pid()"
            async with patience(PATIENCE):
                while not await service.pool.fetchval(waiting):  # noqa: ASYNC110 - PostgreSQL rings no bell
                    await asyncio.sleep(0.01)
            await conn.execute("select from consumed where topic = 'b' for update nowait")
        assert [row["topic"] for row in await other] == ["a", "b"]


async def test_a_connection_cut_while_a_service_begins_does_not_end_it(world: World) -> None:
    tried: list[str] = []

    async def beginning(service: Service) -> None:
        async with service.pool.acquire() as conn, conn.transaction():
            tried.append("tried")
            await conn.execute("select pg_terminate_backend(pg_backend_pid()) where $1", len(tried) == 1)

    async def beginning_badly(service: Service) -> None:
        await wire(service)
        service.beginnings.append(partial(beginning, service))

    async with world.run(NAME, beginning_badly) as service:
        await world.ask(register("oslo"))
        assert await tally(service) == {"oslo": 1}
    assert len(tried) == 2
