"""A record that Kafka refuses for good: kept aside, whole and seen, while all others go out in order."""

import asyncio
import json
import os
import sys
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.messages.strategy import RegisterSites, Site, SitesChanged
from shared.process.service import Service
from shared.wire.codec import Headers
from tests.service.core.counter import tally, wire
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

LARGE = b"x" * 1_500_000
ODD: Headers = [("x", None), ("", b""), ("x", b"2")]
NEVER = 60_000


async def test_a_record_larger_than_its_topic_is_put_aside_and_all_others_are_sent_in_order(world: World) -> None:
    async with world.run("strategy_orchestrator", wire, relay_fallback_ms=NEVER) as service:
        for number in range(1, 21):
            async with service.ledger.transaction() as tx:
                tx.emit(SitesChanged(sites=(Site(name=f"s-{number}"),)), sequence=number)
                if number % 5 == 0:  # in one batch with one that is taken, which goes out twice then
                    tx.emit_raw("strategy.events", b"fleet", ODD, LARGE + str(number).encode())
        await world.until(SitesChanged, lambda event: event.sites[0].name == "s-20")
        kept = await _kept(service, 4)
        assert [(r.topic, r.bytes) for r in kept] == [
            ("strategy.events", len(LARGE) + 8 + len(str(n))) for n in (5, 10, 15, 20)
        ]
        assert all("max.message.bytes" in record.reason for record in kept)
        assert not await service.pool.fetchval("select count(*) from outbox")
    told = [event.sites[0].name for event in world.events(SitesChanged)]
    assert list(dict.fromkeys(told)) == [f"s-{number}" for number in range(1, 21)]


async def test_what_a_compacted_topic_refuses_is_put_aside_too(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        async with service.ledger.transaction() as tx:
            tx.emit_raw("site.state", None, [], b"{}")
            tx.emit(SitesChanged(sites=(Site(name="s-1"),)), sequence=1)
        await world.until(SitesChanged)
        (kept,) = await _kept(service, 1)
        assert kept.topic == "site.state"


async def test_it_is_sent_again_whole_once_its_topic_takes_it_or_forgotten(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        async with service.ledger.transaction() as tx:
            for name in (b"1", b"2"):
                tx.emit_raw("strategy.events", None, [*ODD, ("ce_type", b"t"), ("ce_subject", name)], LARGE + name)
        first, second = await _kept(service, 2)
        assert (first.type, first.subject, second.subject) == ("t", "1", "2")
        assert await _figure(world, service, "belay_records_refused") == 2

        async with service.ledger.transaction() as tx:
            assert await tx.drop_refused([first.id, 999]) == {first.id}
        async with service.ledger.transaction() as tx:
            assert await tx.replay_refused([second.id]) == {second.id}
        await _kept(service, 1, after=second.id)  # nothing changed, so it is refused once more
        await _let_take(world, "strategy.events", 2_000_000)
        await _send_again_until_taken(service)
        record = await _record(world, "strategy.events", len(LARGE) + 1)
        assert (record.key, list(record.headers[:3]), record.value) == (None, ODD, LARGE + b"2")
        assert not await service.ledger.refused()


async def test_a_message_too_large_for_its_topic_undoes_its_turn_and_its_cause_is_told(world: World) -> None:
    sites = tuple(Site(name=f"s-{n}", connections={"process": {"text": "x" * 10_000}}) for n in range(105))
    async with world.run("strategy_orchestrator", wire) as service:
        answer: Any = await world.ask(RegisterSites(sites=sites))
        (fault,) = answer.faults
        assert answer.code == "too_large"
        assert "belay.strategy.sites_changed.v2 of 'fleet'" in fault.message
        assert "1048588" in fault.message
        await world.ask(RegisterSites(sites=(Site(name="after"),)))
        assert await tally(service) == {"after": 1}
        assert not await service.ledger.refused()


async def test_others_are_answered_at_once_while_one_record_after_the_other_is_refused(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        for number in range(10):
            async with service.ledger.transaction() as tx:
                tx.emit_raw("strategy.events", b"k", [], LARGE)
            command = await world.send(RegisterSites(sites=(Site(name=f"s-{number}"),)))
            await world.answer(command, patience=5)
        await _kept(service, 10)


async def test_an_operator_lists_sends_again_and_drops_them_on_the_command_line(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        async with service.ledger.transaction() as tx:
            for _ in range(2):
                tx.emit_raw("strategy.events", b"k", ODD, LARGE)
        first, second = await _kept(service, 2)
        said = await _command_line(service, "list")
        assert [json.loads(line)["id"] for line in said.splitlines()] == [first.id, second.id]
        with pytest.raises(AssertionError, match=f"no refused record {second.id + 9}; nothing was done"):
            await _command_line(service, "drop", first.id, second.id + 9)
        await _command_line(service, "drop", first.id)
        await _let_take(world, "strategy.events", 2_000_000)
        await _command_line(service, "replay", second.id)
        await _send_again_until_taken(service)
        record = await _record(world, "strategy.events", len(LARGE))
        assert (record.key, list(record.headers), record.value) == (b"k", ODD, LARGE)


async def _command_line(service: Service, *arguments: str | int) -> str:
    """As it is called where the service runs: with its environment."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "shared.refused", *map(str, arguments),
        env={**os.environ, "BELAY_POSTGRES": service.settings.postgres},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def _send_again_until_taken(service: Service) -> None:
    """A topic takes what its setting says a moment after the setting was made."""
    async with asyncio.timeout(20):
        while True:
            async with service.ledger.transaction() as tx:
                if not await tx.replay_refused([record.id for record in await service.ledger.refused()]):
                    return
            await asyncio.sleep(0.5)


async def _kept(service: Service, count: int, after: int = 0) -> Any:
    async with asyncio.timeout(20):
        while len(found := await service.ledger.refused(after)) < count:  # noqa: ASYNC110 - a table rings no bell
            await asyncio.sleep(0.05)
    return found


async def _figure(world: World, service: Service, name: str) -> float:
    note = next((world.home / "run").glob(f"{service.name}-*.json"))
    async with httpx.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"{httpx.Response(200, content=note.read_bytes()).json()['url']}/metrics")).text
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " "))


async def _let_take(world: World, topic: str, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka)
    await admin.start()
    try:
        change = {"max.message.bytes": str(size)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, world.prefix + topic, change)])
    finally:
        await admin.close()


async def _record(world: World, topic: str, size: int) -> Any:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(bootstrap_servers=world.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(world.prefix + topic, part) for part in range(3)])
        async with asyncio.timeout(30):
            async for record in consumer:
                if len(record.value or b"") == size:
                    return record
    finally:
        await consumer.stop()
