"""One record of a topic, and whether anybody can read it."""

from dataclasses import dataclass
from sys import intern
from typing import Any

import orjson

from tests.faults.checker.schemas import published

ANSWERS = ("command_accepted", "command_rejected")
LONGEST = {"strategy.commands": 12 * 2**20 - 48_588}
ORDINARY = 1_000_000
"""Bytes, by topic; a longer body counts as unreadable, as the services say."""


@dataclass(slots=True)
class Record:
    """One record of a topic. Its text is not kept: `body` is what it says as JSON, `digest` tells equal values."""

    topic: str
    partition: int
    offset: int
    timestamp: float
    key: str
    headers: dict[str, str]
    body: Any
    digest: int
    size: int
    nul: bool = False

    @property
    def id(self) -> str:
        return self.headers.get("ce_id", "")

    @property
    def type(self) -> str:
        return self.headers.get("ce_type", "")

    @property
    def name(self) -> str:
        """The type without owner and version: `steps_changed`."""
        return self.type.split(".")[-2] if self.type.count(".") == 3 else ""

    @property
    def sequence(self) -> int:
        text = self.headers.get("ce_sequence", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

    @property
    def place(self) -> str:
        """Where it lies, as dead letters say it."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def answers(record: Record) -> bool:
    """Whether a record answers a command."""
    return record.name in ANSWERS


def is_id(text: str) -> bool:
    """1 to 200 printable ASCII characters without spaces."""
    return 0 < len(text) <= 200 and all("!" <= character <= "~" for character in text)


def why_not(record: Record) -> str:
    """Why nobody can read a record; "" when everybody can."""
    known = published().get(record.type)
    if not is_id(record.id):
        return "no usable ce_id"
    if known is None:
        return "unknown ce_type"
    if known.topic != record.topic:
        return f"belongs on {known.topic}"
    if record.size > LONGEST.get(record.topic, ORDINARY) or record.nul:
        return "too long, or holds NUL"
    return "" if record.body is not None and known.validator.is_valid(record.body) else "the schema refuses it"


HEADERS = frozenset({"ce_id", "ce_type", "ce_source", "ce_subject", "ce_sequence", "ce_causationid"})


def parse(topic: str, line: dict[str, Any]) -> Record:
    """A record from its line in the evidence."""
    value = line["value"]
    text = value if isinstance(value, str) else ""
    return Record(
        topic=intern(topic),
        partition=line["partition"],
        offset=line["offset"],
        timestamp=line["timestamp_ms"] / 1000,
        key=line["key"] if isinstance(line["key"], str) else "",
        headers=_headers(line["headers"]),
        body=_json(text),
        digest=hash(text if isinstance(value, str) or value is None else value["base64"]),
        size=len(text.encode()) if len(text) > ORDINARY // 4 else len(text),
        nul="\\u0000" in text,
    )


def _headers(pairs: list[list[Any]]) -> dict[str, str]:
    """Those that matter here. The last of a name counts, and an empty one is none, as in the services."""
    lower = ((name.lower(), value) for name, value in pairs)
    return {
        intern(name): intern(value) if name == "ce_type" else value
        for name, value in lower
        if (name in HEADERS or name.startswith("belay_dlq_")) and isinstance(value, str) and value
    }


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
