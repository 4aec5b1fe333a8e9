"""A record that ends the process is put aside at its second death; nobody else is."""

import asyncio
from typing import Any

import asyncpg
import pytest

from shared.messages.strategy import CommandAccepted, CommandRejected
from tests.service.core.test_exactly_once import register
from tests.support.mortal import ENDS
from tests.support.probe import address
from tests.support.readiness import readiness
from tests.support.replica import Replica, replica
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

NAME = "strategy_orchestrator"
FEW = {"program": "tests.support.mortal", "look_seconds": 0.2}
DEATHS_AT_MOST = 6


async def until_it_lives(world: World, last: str) -> list[int]:
    """Start it as often as it dies, until it has answered the last command; how it ended each time."""
    ends: list[int] = []
    while len(ends) < DEATHS_AT_MOST:
        async with replica(world, NAME, **FEW) as running:
            answered = asyncio.create_task(world.answer(last))
            died = asyncio.create_task(running.process.wait())
            await asyncio.wait({answered, died}, return_when=asyncio.FIRST_COMPLETED)
            died.cancel()
            if answered.done():
                await answered
                assert await running.end() == 0
                return ends
            answered.cancel()
            ends.append(running.process.returncode or 0)
    raise AssertionError(f"it died {len(ends)} times: {ends}")


async def rows(world: World, sql: str) -> list[tuple[Any, ...]]:
    conn = await asyncpg.connect(world.settings(NAME).postgres)
    try:
        return [tuple(row) for row in await conn.fetch(sql)]
    finally:
        await conn.close()


@pytest.mark.parametrize("way", [way for way in ENDS if way != "exited"])
async def test_a_record_that_ends_the_process_twice_is_put_aside_whole(world: World, way: str) -> None:
    await world.send(register("before"), message_id="c-before")
    await world.send(register(way), message_id="c-deadly")
    await world.send(register("after"), message_id="c-after")
    ends = await until_it_lives(world, "c-after")
    assert len(ends) == 3, "one among others, two alone"
    letter = await world.dead_letter()
    assert dict(letter.headers)["belay_dlq_code"] == b"ended_the_process"
    assert dict(letter.headers)["ce_id"] == b"c-deadly"
    assert letter.value == register(way).model_dump_json(exclude_defaults=True).encode()
    refusal = await world.answer("c-deadly")
    assert isinstance(refusal, CommandRejected)
    assert refusal.code == "ended_the_process"
    assert isinstance(await world.answer("c-before"), CommandAccepted)
    assert await rows(world, "select site, times from tally order by site") == [("after", 1), ("before", 1)]
    assert len(world.dead) == 1


async def test_a_handler_that_exits_is_a_handler_that_broke(world: World) -> None:
    await world.send(register("exited"), message_id="c-exits")
    await world.send(register("after"), message_id="c-after")
    assert await until_it_lives(world, "c-after") == []
    refusal = await world.answer("c-exits")
    assert isinstance(refusal, CommandRejected)
    assert refusal.code == "internal"


async def test_a_record_that_was_alone_is_put_aside_after_two_deaths(world: World) -> None:
    await world.send(register("killed"), message_id="c-deadly")
    assert len(await until_it_lives(world, "c-deadly")) == 2


async def test_a_process_killed_among_many_records_puts_none_of_them_aside(world: World) -> None:
    for number in range(30):
        await world.send(register(f"s-{number}"), message_id=f"c-{number}")
    await world.send(register("killed"), message_id="c-deadly")
    for number in range(30, 60):
        await world.send(register(f"s-{number}"), message_id=f"c-{number}")
    await until_it_lives(world, "c-59")
    assert [dict(letter.headers)["ce_id"] for letter in world.dead] == [b"c-deadly"]
    assert await rows(world, "select count(*) from tally where times = 1") == [(60,)]
    assert await rows(world, "select count(*) from suspect where put_aside_at is null") == [(0,)]


async def test_a_stop_in_the_middle_of_a_record_blames_nobody(world: World) -> None:
    async with replica(world, NAME, **FEW) as running:
        await world.answer(await world.send(register("first")))
        assert await running.end() == 0
    async with replica(world, NAME, **FEW):
        await world.answer(await world.send(register("second")))
    assert await rows(world, "select count(*) from suspect") == [(0,)]


async def test_a_replica_says_that_it_starts_again_and_again_and_why(world: World) -> None:
    for number in range(3):
        async with replica(world, NAME, **FEW) as running:
            await world.send(register("crashed"), message_id=f"c-{number}")
            await running.process.wait()
    async with replica(world, NAME, **FEW) as running:
        found = await until_found(world, running, "restarts")
        assert found["message"].startswith("strategy_orchestrator-1 ended by itself 3 times within ")
        assert "Segmentation fault" in found["message"]
        assert found["advice"]
        put_aside = await until_found(world, running, "record_put_aside")
        assert "strategy.commands" in put_aside["about"]


async def until_found(world: World, running: Replica, code: str) -> dict[str, Any]:
    """A finding of this kind, as `/readyz` says it; the replica is ready all the same."""
    async with asyncio.timeout(60):
        while True:
            assert running.process.returncode is None
            url = address(world.home, NAME, "1")
            status, findings = await readiness(url) if url else (0, [])
            for finding in findings:
                if finding["code"] == code and status == 200:
                    return finding
            await asyncio.sleep(0.1)
