"""Records as Kafka can carry them and few clients send them: every codec, size and header. Pure, drawn from a number.

Unlike what foreign.py calls hostile, most of these could be sent by mistake: a client with another compression, a
tracing library that sets a header to nothing, a script that names the whole fleet.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Headers = list[tuple[str, bytes | None]]

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

MAX_BODY = {"strategy.commands": 12 * 2**20 - 48_588}
"""Bytes of a body that a topic's services take; all others take ORDINARY_BODY."""

ORDINARY_BODY = 1_000_000
UNPACKED_MAX = 16 * 2**20
"""Bytes that services unpack of one batch (BELAY_UNPACKED_MAX's default)."""

NAMED = 20_000
"""Sites that a giant command names."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A record to send, and how. `expected`: a valid command, so its owner answers it like any other."""

    key: bytes | None
    headers: Headers
    body: bytes | None
    codec: str = "none"
    expected: bool = False


def made(kind: str, topic: str, kind_of_topic: str, draw: int) -> Odd:
    """The record of a kind for this draw, always the same. `kind_of_topic`: a type of message that belongs there."""
    random = Random(draw)  # noqa: S311 - it must be repeatable, not secret
    told: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"odd-{random.getrandbits(64):016x}".encode()),
        ("ce_type", f"{kind_of_topic}.v1".encode()),
        ("ce_source", b"/foreign"),
    ]
    return MAKERS[kind](topic, told, random)


def _packed(topic: str, told: Headers, random: Random) -> Odd:
    """Any codec; on the orchestrator's commands also what must be done."""
    codec = random.choice(CODECS)
    if topic == "strategy.commands" and random.random() < 0.7:
        name = f"odd-{random.getrandbits(48):012x}"
        group = _typed(told, "belay.strategy.create_group.v1")
        return Odd(b"fleet", group, json.dumps({"name": name, "max_parallel": 5}).encode(), codec, expected=True)
    return Odd(b"site-1", told, b'{"no_such_field": "' + b"z" * random.randint(0, 5_000) + b'"}', codec)


def _sized(topic: str, told: Headers, random: Random) -> Odd:
    """Bodies about each limit: of what services take, and of what they unpack."""
    limit = MAX_BODY.get(topic, ORDINARY_BODY)
    size = random.choice((limit - 1, limit, limit + 1, 3 * 2**20, UNPACKED_MAX - 4_096, UNPACKED_MAX + 2**20))
    codec = random.choice(("gzip", "zstd")) if size > ORDINARY_BODY + 1 else random.choice(CODECS)
    frame = b'{"no_such_field": ""}'
    return Odd(b"fleet", told, frame[:-2] + b"x" * (size - len(frame)) + frame[-2:], codec)


def _headed(_topic: str, told: Headers, random: Random) -> Odd:
    """Headers, keys and values that are absent, empty, doubled, or no text; the body cannot be read either way."""
    ways: list[Callable[[], Odd]] = [
        lambda: Odd(b"fleet", [*told, ("x-trace", None)], b"{"),
        lambda: Odd(b"fleet", [*told, ("x-trace", b"")], b"{"),
        lambda: Odd(b"fleet", [*told, ("", b"nameless")], b"{"),
        lambda: Odd(b"fleet", [*told, ("x", b"1"), ("x", None), ("x", b"\xff\x00")], b"{"),
        lambda: Odd(b"fleet", [("ce_id", None), *told[2:]], b"{}"),
        lambda: Odd(b"fleet", [*told[:2], ("ce_type", None)], b"{}"),
        lambda: Odd(b"fleet", [*told, ("ключ", "значение".encode())], b"{"),
        lambda: Odd(b"", told, b"{"),
        lambda: Odd(b"fleet", told, b""),
        lambda: Odd(b"\x00", [*told, ("belay_dlq_code", b"forged"), ("belay_dlq_origin", b"nowhere/0/0")], b"{"),
    ]
    return random.choice(ways)()


def _giant(_topic: str, told: Headers, random: Random) -> Odd:
    """A strategy over thousands of sites that nobody knows: the refusal must be one record, and hold up nobody."""
    name = f"odd-{random.getrandbits(48):012x}"
    count = random.choice((NAMED, NAMED // 3, 100_000))
    sites = [f"nobody-{number:06}-{'n' * random.choice((0, 60))}".rstrip("-") for number in range(count)]
    spec = {"name": name, "type": "apply", "app": "nobody", "version": "1.0", "selection": {"sites": sites}}
    created = _typed(told, "belay.strategy.create_strategy.v1")
    return Odd(name.encode(), created, json.dumps({"spec": spec}).encode(), random.choice(CODECS[1:]), expected=True)


def _typed(told: Headers, message_type: str) -> Headers:
    return [(name, message_type.encode() if name == "ce_type" else value) for name, value in told]


MAKERS: dict[str, Callable[[str, Headers, Random], Odd]] = {
    "packed_record": _packed,
    "sized_record": _sized,
    "odd_headers": _headed,
    "giant_refusal": _giant,
}
