"""Whatever lies on the topic that it reads, the monitor goes on: nothing ends it or silences it, nothing is lost."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from shared.wire.codec import Envelope, encode, new_id
from tests.service.core.test_foreign_batches import record_of, send_bytes
from tests.service.core.test_lost_logs import make_anew
from tests.service.monitor.test_monitor import forecast, monitor, progress
from tests.support.patience import patience
from tests.support.probe import PATIENCE, address
from tests.support.readiness import readiness
from tests.support.world import World
from tests.unit.core.test_unpacking import PACK, SOME, batch, packed, sealed

pytestmark = [pytest.mark.service, pytest.mark.long]

TOPIC, PARTITIONS = "strategy.events", 3


def odd_header() -> bytes:
    """The name of a header is no text."""
    odd = bytearray(batch([*SOME, (b"k", b"v", [("xx", b"y")])]))
    at = odd.find(b"xx")
    odd[at : at + 2] = b"\xff\xfe"
    return sealed(bytes(odd))


ODD = {
    "three records that unpack to 90 MB": packed(4, PACK[4](batch([(b"k", bytes(30_000_000), [])] * 3)[61:]), count=3),
    "a value as large as the topic takes": batch([(b"k", b"x" * 1_048_380, [])]),
    "a value of 15 MB, packed": packed(4, PACK[4](record_of(b"x" * 15_000_000))),
    "a header that is no text": odd_header(),
    "snappy": packed(2, PACK[2](record_of(b"{}"))),
}


@pytest.mark.parametrize("whole", ODD.values(), ids=ODD)
async def test_what_cannot_be_read_is_a_dead_letter_and_what_follows_is_learnt(world: World, whole: bytes) -> None:
    async with monitor(world) as running:
        await world.send(progress(0))
        await forecast(world, 0)
        offsets = [await send_bytes(world, whole, TOPIC, part) for part in range(PARTITIONS)]
        await world.send(progress(5))
        await forecast(world, 5)
        last = int.from_bytes(whole[23:27], "big")
        for part, offset in enumerate(offsets):
            origin = f"{TOPIC}/{part}/{offset + last}".encode()
            await world.dead_letter(lambda letter, origin=origin: ("belay_dlq_origin", origin) in letter.headers)
        assert await running.end() == 0


async def test_marks_of_foreign_transactions_hold_nothing_up(world: World) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka, transactional_id=f"{world.prefix}foreign")
    async with monitor(world):
        await world.send(progress(0))
        await forecast(world, 0)
        await producer.start()
        try:
            for done in (3, 5):
                async with producer.transaction():
                    for part in range(PARTITIONS):
                        await producer.send_and_wait(world.prefix + TOPIC, b"{}", key=b"k", partition=part)
                await world.send(progress(done))
                await forecast(world, done)
        finally:
            await producer.stop()


@pytest.mark.parametrize("more", [0, 6], ids=["shorter", "longer"])
@pytest.mark.parametrize("stopped", [True, False], ids=["while-stopped", "while-read"])
async def test_a_topic_made_again_is_read_from_its_beginning_and_told(world: World, more: int, stopped: bool) -> None:
    async with monitor(world) as running:
        for done in (0, 3, 5):
            await world.send(progress(done))
            await forecast(world, done)
        if not stopped:
            await make_anew(world, TOPIC, PARTITIONS)
            await send_all(world, 7, more)
            await told(world)
            await forecast(world, 7)
        assert await running.end() == 0
    if stopped:
        await make_anew(world, TOPIC, PARTITIONS)
        await send_all(world, 7, more)
        async with monitor(world):
            await forecast(world, 7)
            await told(world)


async def send_all(world: World, done: int, old: int) -> None:
    """Progress, and behind it some that is too old to say anything; by a producer that never knew the topic before."""
    news = progress(done)
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka)
    await producer.start()
    try:
        for event in (news, *[progress(1, at=news.at - timedelta(minutes=1))] * old):
            key, headers, body = encode(Envelope(data=event, id=new_id(), source="/test", time=event.at))
            await producer.send_and_wait(world.prefix + TOPIC, body, key=key, headers=headers)
    finally:
        await producer.stop()


async def told(world: World) -> None:
    found: Sequence[dict[str, Any]] = []
    async with patience(PATIENCE):
        while "log_lost" not in [finding["code"] for finding in found]:
            await asyncio.sleep(0.1)
            _, found = await readiness(str(address(world.home, "monitor", "1")))
