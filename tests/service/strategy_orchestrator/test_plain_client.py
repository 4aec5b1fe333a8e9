"""A client that knows nothing but schemas/ and speaks to Kafka: what is published there is enough."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.strategy_orchestrator.app import wire
from tests.support.world import World

pytestmark = pytest.mark.service

SCHEMAS = Path(__file__).parents[3] / "schemas"


def sample(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"samples/belay.{kind}.v1.json").read_text())
    return found


async def ask(world: World, kind: str, command_id: str, **changes: Any) -> tuple[str, dict[str, Any]]:
    """Publish a changed sample; the type and body of its answer."""
    record = sample(kind)
    headers = record["headers"] | {"ce_id": command_id}
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka)
    await producer.start()
    body = json.dumps(record["body"] | changes).encode()
    pairs = [(name, value.encode()) for name, value in headers.items()]
    await producer.send_and_wait(world.prefix + record["topic"], body, key=record["key"].encode(), headers=pairs)
    await producer.stop()
    return await answer(world, record["topic"].replace("commands", "events"), command_id)


async def answer(world: World, topic: str, command_id: str) -> tuple[str, dict[str, Any]]:
    channel = json.loads((SCHEMAS / "asyncapi.json").read_text())["channels"][topic]
    parts = [TopicPartition(world.prefix + topic, n) for n in range(channel["bindings"]["kafka"]["partitions"])]
    consumer = AIOKafkaConsumer(bootstrap_servers=world.kafka, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign(parts)
    try:
        async for record in consumer:
            kind, body = dict(record.headers)["ce_type"].decode(), json.loads(record.value)
            if body.get("command_id") == command_id:
                return kind, body
    finally:
        await consumer.stop()
    raise AssertionError("unreachable: a consumer without end ended")


def fits(kind: str, body: dict[str, Any]) -> None:
    owner, name, version = kind.removeprefix("belay.").split(".")
    schema = json.loads((SCHEMAS / owner / f"{name}.{version}.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(body)


async def test_commands_made_from_the_samples_are_answered_as_the_schemas_say(world: World) -> None:
    async with world.run("strategy_orchestrator", wire):
        kind, body = await ask(world, "strategy.create_group", "plain-1")
        assert kind == "belay.strategy.command_accepted.v1"
        fits(kind, body)
        kind, body = await ask(world, "strategy.register_sites", "plain-2")
        assert kind == "belay.strategy.command_accepted.v1"
        kind, body = await ask(world, "strategy.create_strategy", "plain-3")
        assert kind == "belay.strategy.command_rejected.v1"
        assert body["faults"][0]["code"] == "unknown_app"
        fits(kind, body)


async def test_what_a_plain_client_gets_wrong_is_told_by_field(world: World) -> None:
    async with world.run("strategy_orchestrator", wire):
        kind, body = await ask(world, "strategy.create_group", "plain-4", max_parallel="101%", colour="red")
        assert kind == "belay.strategy.command_rejected.v1"
        assert {(f["code"], f["field"]) for f in body["faults"]} == {
            ("invalid_field", "max_parallel"),
            ("unknown_field", "colour"),
        }
        fits(kind, body)
