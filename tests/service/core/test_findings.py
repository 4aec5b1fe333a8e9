"""What is wrong with a service is said by itself, with its cause, at `/readyz` and in its metrics."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from shared.core.transaction import Transaction
from shared.messages.strategy import RegisterSites, Site, SitesChanged
from shared.process.health import Finding
from shared.process.replicas import ask_all
from shared.process.runs import Runs
from shared.process.service import Service
from shared.wire.codec import Envelope
from tests.service.core.counter import wire
from tests.service.core.test_exactly_once import register
from tests.support.probe import address, figures
from tests.support.readiness import readiness
from tests.support.stranger import stranger
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"
SOON = {"trouble_seconds": 1, "look_seconds": 0.1}


async def until_found(world: World, code: str, instance: str = "1") -> dict[str, Any]:
    """A finding of this kind, as the replica tells of it."""
    async with asyncio.timeout(60):
        while True:
            _, findings = await readiness(str(address(world.home, NAME, instance)))
            for finding in findings:
                if finding["code"] == code:
                    return finding
            await asyncio.sleep(0.05)


async def until_over(world: World, instance: str = "1") -> None:
    """Until the replica is ready, and nothing is wrong."""
    async with asyncio.timeout(60):
        while await readiness(str(address(world.home, NAME, instance))) != (200, []):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def silent(service: Service) -> None:
    """A service that listens to nothing."""


async def test_an_outbox_that_cannot_be_sent_is_told_with_the_relays_failure(world: World) -> None:
    kafka, world.kafka = world.kafka, "127.0.0.1:9"
    async with world.run(NAME, silent, **SOON) as service:
        async with service.ledger.transaction() as tx:
            tx.emit(SitesChanged(sites=(Site(name="s-1"),)), sequence=1)
        found = await until_found(world, "outbox_stalled")
        assert "KafkaConnectionError" in found["message"]
        assert found["since"]
        assert found["advice"]
        told = await figures(str(address(world.home, NAME, "1")))
        assert told["belay_outbox_oldest_seconds"] > 1
        assert told["belay_findings"] == 1
    world.kafka = kafka
    async with world.run(NAME, silent, **SOON):
        await until_over(world)


async def test_while_kafka_is_away_a_replica_says_all_else_of_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unanswered(*_: Any) -> Any:
        await asyncio.Event().wait()  # as aiokafka does for 40 seconds while no broker answers

    async def look() -> list[Finding]:
        return [Finding(code="outbox_stalled", message="it waits")]

    async with world.run(NAME, wire, **SOON) as service:
        await world.ask(register("oslo"))
        assert service.watch.consumer
        monkeypatch.setattr(service.watch.consumer._kafka, "end_offsets", unanswered)
        service.watch.looks.append(look)
        await until_found(world, "outbox_stalled")
        (row,) = await asyncio.to_thread(ask_all, world.home)
        assert (row["ready"], row.get("error"), row["lag"]) == (True, None, None)
        assert [finding["code"] for finding in row["findings"]] == ["outbox_stalled"]
        assert isinstance(row["outbox"], int)


async def test_a_handler_that_hangs_is_a_partition_without_progress_and_names_its_owner(world: World) -> None:
    go_on = asyncio.Event()

    async def hang(_tx: Transaction, _batch: Sequence[Envelope[RegisterSites]]) -> list[Any]:
        await go_on.wait()
        raise ValueError("enough")

    async def hanging(service: Service) -> None:
        service.handlers, service.topics = {RegisterSites: hang}, ["strategy.commands"]

    async with world.run(NAME, hanging, **SOON):
        await world.send(register("oslo"), message_id="c-1")
        found = await until_found(world, "partition_stalled")
        assert found["about"] == f"{world.prefix}strategy.commands/0"
        assert "1 records" in found["message"]
        assert f"it belongs to {NAME}-1 at" in found["message"]
        told = await figures(str(address(world.home, NAME, "1")))
        assert told["belay_partition_stalled"] == 1
        go_on.set()
        await world.answer("c-1")
        await until_over(world)


async def test_a_stranger_in_our_group_is_told_with_its_name_and_what_it_keeps_from_us(world: World) -> None:
    async with stranger(world, NAME, "strategy.commands") as guest, world.run(NAME, wire, "9", **SOON):
        found = await until_found(world, "stranger_in_group", "9")
        assert found["message"].startswith("report-of-the-month at ")
        assert f"the consumer group {world.prefix}{NAME}" in found["message"]
        await world.send(register("oslo"))
        if guest.assignment():  # a group of two shares out the one partition as it likes
            stalled = await until_found(world, "partition_stalled", "9")
            assert "it belongs to report-of-the-month at" in stalled["message"]
        await guest.stop()
        await until_over(world, "9")


async def test_replicas_of_ours_are_no_strangers(world: World) -> None:
    async with world.run(NAME, wire, "1", **SOON), world.run(NAME, wire, "2", **SOON) as second:
        for number in range(25):
            await world.ask(register(f"s-{number}"))
        await until_over(world, "1")
        await until_over(world, "2")
        assert second.watch.findings == []


async def test_marks_of_foreign_transactions_are_no_records(world: World) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka, transactional_id=f"{world.prefix}foreign")
    async with world.run(NAME, wire, **SOON) as service:
        await world.ask(register("oslo"))
        await producer.start()
        try:
            async with producer.transaction():
                await producer.send_and_wait(f"{world.prefix}strategy.commands", b"{}", key=b"k")
        finally:
            await producer.stop()
        await world.dead_letter()
        for _ in range(3):
            await service.watch.look()
        readings = await service.watch.consumer.readings() if service.watch.consumer else {}
        assert [reading.unread for reading in readings.values()] == [0]


async def test_ends_of_long_ago_in_the_ledger_hide_none_that_only_the_file_knows(world: World) -> None:
    runs = Runs(world.home, NAME, "1")
    for _ in range(3):
        runs.begin()
        runs.end("MemoryError")
    long_ago = "select '1', now() - interval '1 hour', now() - interval '1 hour', 'old' from generate_series(1, 5)"
    async with world.run(NAME, silent, **SOON) as service:
        await service.pool.execute(f"insert into process_run (instance, started_at, ended_at, cause) {long_ago}")
        await service.watch.look()
        (found,) = [finding for finding in service.watch.findings if finding.code == "restarts"]
        assert "3 times" in found.message
        assert "MemoryError" in found.message


async def test_whoever_knows_of_more_that_can_be_wrong_adds_a_look(world: World) -> None:
    async def look() -> list[Finding]:
        return [Finding(code="log_lost", about="t/0", message="a topic was made again")]

    async def more(service: Service) -> None:
        service.watch.looks.append(look)

    async with world.run(NAME, more, **SOON):
        assert (await until_found(world, "log_lost"))["message"] == "a topic was made again"


async def test_a_partition_that_was_left_to_nobody_is_shared_out_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_for_anybody(cluster: object, members: dict[str, Any]) -> dict[str, Any]:
        return {member: ConsumerProtocolMemberAssignment(0, [], b"") for member in members}

    async with world.run(NAME, wire, **SOON) as service:
        await world.ask(register("oslo"))
        consumer = service.watch.consumer
        assert consumer
        with monkeypatch.context() as patch:
            patch.setattr(RoundRobinPartitionAssignor, "assign", nothing_for_anybody)
            consumer.rejoin()
            async with asyncio.timeout(30):
                while consumer._kafka.assignment():  # noqa: ASYNC110 - aiokafka rings no bell
                    await asyncio.sleep(0.05)
        await world.ask(register("rome"))
