"""Dead letters: whatever Kafka can carry, they carry unchanged; nothing of it stops the service."""

from typing import Any

import pytest

from shared.messages.strategy import RegisterSites, Site
from shared.wire.codec import as_it_was
from tests.service.core.counter import tally, wire
from tests.service.gateway.api import gateway
from tests.support.world import World

pytestmark = pytest.mark.service

ODD: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]] = [
    (b"k", b"{}", [("x-trace", None)]),
    (b"k", b"{}", [("x-trace", b"")]),
    (b"k", b"{}", [("", b"nameless"), ("", None)]),
    (b"k", b"{}", [("twice", b"1"), ("twice", b"2"), ("Twice", None)]),
    (b"k", b"{}", [("ce_id", None), ("ce_type", None)]),
    (b"k", b"{}", [("belay_dlq_code", b"forged"), ("belay_dlq_code", None), ("näme", b"\xff\x00")]),
    (b"k", None, []),
    (b"k", b"", []),
    (None, b"{}", []),
    (b"", b"{}", []),
    (None, None, []),
    (b"\xff", b"\x00" * 3, [("ce_id", b"\xff"), ("ce_type", b"belay.strategy.register_sites.v1")]),
]


async def test_whatever_kafka_can_carry_becomes_a_dead_letter_unchanged(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        offsets = [await publish(world, *odd) for odd in ODD]
        await world.ask(RegisterSites(sites=(Site(name="after"),)))
        for odd, offset in zip(ODD, offsets, strict=True):
            letter = await world.dead_letter(came_from(offset))
            assert (letter.key, letter.value, as_it_was(letter)) == odd
        assert await tally(service) == {"after": 1}


async def test_a_dead_letter_is_shown_and_sent_again_unchanged(world: World) -> None:
    async with world.run("strategy_orchestrator", wire), gateway(world) as api:
        offsets = [await publish(world, *odd) for odd in ODD]
        letters = [await world.dead_letter(came_from(offset)) for offset in offsets]
        shown = [await api.get(f"/v1/dlq/strategy.commands/{letter.offset}") for letter in letters]
        assert [(s["key"] is None, s["body"] is None) for s in shown] == [(k is None, v is None) for k, v, _ in ODD]
        assert shown[0]["record"] == {
            "key": "aw==", "body": "e30=", "headers": [{"name": "x-trace", "value": None}],
        }  # fmt: skip
        assert shown[1]["record"]["headers"] == [{"name": "x-trace", "value": ""}]
        assert shown[3]["record"]["headers"] == [
            {"name": "twice", "value": "MQ=="}, {"name": "twice", "value": "Mg=="}, {"name": "Twice", "value": None},
        ]  # fmt: skip
        assert (await api.ask("GET", "/v1/dlq/strategy.commands/999")).status == 404

        wanted = {"offsets": [letter.offset for letter in letters]}
        assert (await api.ask("POST", "/v1/dlq/strategy.commands/replay", wanted)).status == 202
        for key, value, headers in ODD:
            await world.dead_letter(lambda r, odd=(key, value, headers): again(r, odd))


async def publish(world: World, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]) -> int:
    """As a foreign client would; the offset it got."""
    batch = world.producer.create_batch()  # aiokafka itself sends no record that has neither key nor value
    batch.append(key=key, value=value, headers=headers, timestamp=None)
    batch.close()
    sent = await world.producer.send_batch(batch, world.prefix + "strategy.commands", partition=0)
    return int((await sent).offset)


def came_from(offset: int) -> Any:
    return lambda letter: ("belay_dlq_origin", f"strategy.commands/0/{offset}".encode()) in letter.headers


def again(letter: Any, odd: Any) -> bool:
    """The same record once more: a command that was sent again has a fresh id, and the old one as its cause."""
    ours = {"ce_id", "ce_causationid"}
    left = [pair for pair in as_it_was(letter) if pair[0] not in ours]
    renewed = any(name == "ce_causationid" for name, _ in letter.headers)
    return renewed and (letter.key, letter.value, left) == (odd[0], odd[1], [p for p in odd[2] if p[0] not in ours])
