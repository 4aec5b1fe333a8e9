"""Batches of records as foreign clients may write them: none ends the service, none is lost, and nobody waits."""

import asyncio
import gzip
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaProducer

from shared.messages.strategy import RegisterSites, Site
from shared.wire.codec import BATCH_MARK, Envelope, as_it_was, encode
from shared.wire.topics import UNPACKED_BYTES
from tests.service.core.counter import tally, wire
from tests.service.core.test_dead_letters import came_from
from tests.support.replica import replica
from tests.support.runtime import Servers
from tests.support.world import World
from tests.unit.core.test_bounds import NOW
from tests.unit.core.test_unpacking import PACK, SOME, batch, packed, sealed

pytestmark = pytest.mark.service

TOPIC = "strategy.commands"
SNAPPY = 2


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_a_command_in_each_codec_is_answered(world: World, codec: str | None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka, compression_type=codec)
    await producer.start()
    try:
        async with world.run("strategy_orchestrator", wire) as service:
            for number in range(3):
                key, headers, body = encode(command(f"c-{number}", f"s-{number}"))
                await producer.send_and_wait(world.prefix + TOPIC, body, key=key, headers=headers)
            for number in range(3):
                await world.answer(f"c-{number}", patience=20)
            assert await tally(service) == {f"s-{number}": 1 for number in range(3)}
    finally:
        await producer.stop()


@pytest.mark.parametrize("codec", PACK)
async def test_a_bomb_is_a_dead_letter_and_the_next_command_is_answered_within_seconds(
    world: World, codec: int
) -> None:
    bomb = packed(codec, PACK[codec](record_of(bytes(200_000_000))))
    async with replica(world, "strategy_orchestrator") as running:
        await world.ask(RegisterSites(sites=(Site(name="before"),)))
        begun, before = time.monotonic(), forget_peak(running.process.pid)
        offset = await send_bytes(world, bomb)
        await world.ask(RegisterSites(sites=(Site(name="after"),)))
        assert time.monotonic() - begun < 10
        # Two that were read (as fetched, and its value), which go with the next poll; five of the relay that sends it:
        # unpacked, in a batch, and aiokafka's request as it is joined, with its head, and with its length.
        copies = 7 * len(bomb)
        # Unpacked up to the limit, which a codec may copy once as it grows; snappy says its size before.
        unpacked = 0 if codec == SNAPPY else 2 * UNPACKED_BYTES
        assert peak(running.process.pid) - before < unpacked + copies + 10_000_000
        letter = await world.dead_letter(came_from(offset))
        assert letter.value[61:] == bomb[61:]
        assert dict(letter.headers)[BATCH_MARK] == f"{offset}-{offset}".encode()
        assert b"BELAY_UNPACKED_MAX" in dict(letter.headers)["belay_dlq_reason"]


@pytest.mark.parametrize("size", [1_048_380, 3_000_000, 15_000_000])
async def test_a_value_that_is_larger_unpacked_than_its_topic_takes_is_a_dead_letter_as_it_was(
    world: World, size: int
) -> None:
    value = os.urandom(1_000) * (size // 1_000) + b"x" * (size % 1_000)
    whole = packed(1, gzip.compress(record_of(value)))
    async with world.run("strategy_orchestrator", wire) as service:
        offset = await send_bytes(world, whole)
        letter = await world.dead_letter(came_from(offset))
        assert letter.value == value
        await world.ask(RegisterSites(sites=(Site(name="after"),)))
        assert not await service.ledger.refused()


async def test_a_header_whose_name_is_no_text_makes_its_record_a_dead_letter_alone(world: World) -> None:
    odd = bytearray(batch([*SOME, (b"k", b"v", [("xx", b"y")]), *SOME]))
    at = odd.find(b"xx")
    odd[at : at + 2] = b"\xff\xfe"
    async with world.run("strategy_orchestrator", wire) as service:
        before = await world.ask(RegisterSites(sites=(Site(name="before"),)))
        offset = await send_bytes(world, sealed(bytes(odd)))
        await world.ask(RegisterSites(sites=(Site(name="after"),)))
        letters = [await world.dead_letter(came_from(offset + number)) for number in range(7)]
        assert [(r.key, r.value, as_it_was(r)) for r in letters[:3] + letters[4:]] == SOME * 2
        assert b"\xff\xfe" in letters[3].value
        assert before
        assert await tally(service) == {"before": 1, "after": 1}


async def test_a_damaged_log_is_told_by_a_dead_letter_and_read_on(world: World, servers: Servers) -> None:
    offsets = [await send_bytes(world, batch(SOME)), await send_bytes(world, batch(SOME))]
    segment = servers.home.kafka / "data" / f"{world.prefix}{TOPIC}-0" / f"{0:020}.log"
    content = bytearray(segment.read_bytes())
    content[len(content) // 2 - 1] ^= 1  # the last byte of the first of two batches that are alike
    segment.write_bytes(content)
    async with world.run("strategy_orchestrator", wire):
        letter = await world.dead_letter(came_from(offsets[0] + 2))
        assert b"damaged" in dict(letter.headers)["belay_dlq_reason"]
        assert dict(letter.headers)[BATCH_MARK] == b"0-2"
        await world.dead_letter(came_from(offsets[1]))
        await world.ask(RegisterSites(sites=(Site(name="after"),)))


async def test_transactions_are_read_with_their_marks_between_them(world: World) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka, transactional_id=world.prefix, compression_type="zstd")
    await producer.start()
    try:
        async with world.run("strategy_orchestrator", wire) as service:
            for number in range(3):
                key, headers, body = encode(command(f"c-{number}", f"s-{number}"))
                async with producer.transaction():
                    await producer.send_and_wait(world.prefix + TOPIC, body, key=key, headers=headers)
            for number in range(3):
                await world.answer(f"c-{number}", patience=20)
            assert await tally(service) == {f"s-{number}": 1 for number in range(3)}
    finally:
        await producer.stop()


async def test_the_loop_is_not_held_up_while_batches_are_unpacked(world: World) -> None:
    content = record_of(os.urandom(100) * 150_000)
    async with world.run("strategy_orchestrator", wire):
        watching = asyncio.create_task(longest_pause())
        for _ in range(3):
            await send_bytes(world, packed(1, gzip.compress(content)))
        await world.ask(RegisterSites(sites=(Site(name="after"),)))
        watching.cancel()
        assert await watching < 2


def forget_peak(pid: int) -> int:
    """Begin to measure the most memory that a process has; what it has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return psutil.Process(pid).memory_info().rss


def peak(pid: int) -> int:
    """The most bytes that it had since."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


async def longest_pause() -> float:
    longest, last = 0.0, time.monotonic()
    try:
        while True:
            await asyncio.sleep(0.01)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
    except asyncio.CancelledError:
        return longest


def command(command_id: str, site: str) -> Envelope[Any]:
    return Envelope(data=RegisterSites(sites=(Site(name=site),)), id=command_id, source="/foreign", time=NOW)


def record_of(value: bytes) -> bytes:
    """The bytes of one record with this value, as they stand in a batch."""
    return batch([(b"k", value, [])])[61:]


async def send_bytes(world: World, whole: bytes, topic: str = TOPIC, part: int = 0) -> int:
    """Send a batch exactly as it is; the offset of its first record."""
    made = world.producer.create_batch()
    count = int.from_bytes(whole[57:61], "big")
    for _ in range(count):
        made.append(key=b"", value=b"", timestamp=None)
    made.close()
    made._build()
    made._buffer = bytearray(whole)
    return int((await (await world.producer.send_batch(made, world.prefix + topic, partition=part))).offset)
