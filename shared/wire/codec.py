"""CloudEvents 1.0 in Kafka's binary mode: attributes in `ce_*` headers, the body is the message as JSON.

Small because it is on the hot path; the CloudEvents SDK, some 20 times slower, is its oracle in the tests.
"""

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar

from pydantic import ValidationError

from shared.core.errors import Unreadable
from shared.core.ids import new_id as new_id  # noqa: PLC0414  read from here by everybody
from shared.messages import REGISTRY
from shared.messages.base import ErrorCode, Fault, Message, faults_of
from shared.messages.opening import IN_AN_EVENT
from shared.wire.topics import LIVE

M_co = TypeVar("M_co", bound=Message, covariant=True)
Headers = list[tuple[str, bytes | None]]
"""Names and values as Kafka has them: in order, a name more than once, a value that is empty or none at all."""

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""The escape of NUL in JSON, but not a backslash followed by u0000."""

_ID = re.compile(r"[!-~]{1,200}")


class Record(Protocol):
    """What we need of a Kafka record (aiokafka's ConsumerRecord has it)."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


@dataclass(frozen=True, slots=True)
class Envelope(Generic[M_co]):
    """A message with its CloudEvents attributes."""

    data: M_co
    id: str
    source: str
    time: datetime
    sequence: int = 0
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""
    actor: str = ""

    @property
    def root(self) -> str:
        """The id that everything caused by this message carries as its correlation id."""
        return self.correlation_id or self.id

    @property
    def trace(self) -> str:
        """The W3C trace context for a message caused by this one: same trace, new span."""
        return f"{self.traceparent[:36]}{os.urandom(8).hex()}-01" if self.traceparent else new_trace()


def new_trace() -> str:
    """A fresh W3C `traceparent`."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


def encode(envelope: Envelope[Message]) -> tuple[bytes, Headers, bytes]:
    """Key, headers and body of the Kafka record for a message."""
    message = envelope.data
    headers: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope.id.encode()),
        ("ce_type", message.TYPE.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_subject", message.subject.encode()),
        ("ce_time", envelope.time.isoformat().encode()),
        ("content-type", b"application/json"),
        ("ce_correlationid", envelope.root.encode()),
        ("ce_traceparent", envelope.traceparent.encode()),
    ]
    if envelope.sequence:
        headers.append(("ce_sequence", str(envelope.sequence).encode()))
    if envelope.causation_id:
        headers.append(("ce_causationid", envelope.causation_id.encode()))
    if envelope.actor:
        headers.append(("ce_actor", envelope.actor.encode()))
    # What a command leaves at its default is not said: an older owner may not know the field, and would refuse it.
    body = message.model_dump_json(exclude_defaults=message.IS_COMMAND)
    return message.key.encode(), headers, body.encode()


def header(record: Record, name: str) -> str:
    """A header by its name in lower case, as text, "" when it is absent. Bytes that are no UTF-8 are replaced.

    Of several with one name the last that has a value counts, as in `attributes_of`.
    """
    for key, value in reversed(record.headers):
        if value and (key == name or key.lower() == name):
            return value.decode(errors="replace")
    return ""


UNREADABLE_MARK = f"belay-unreadable-{secrets.token_hex(16)}"
"""The header of a record that stands for bytes which are none (unpacking.py), with the reason. No client can
know the name: it is another one in each process."""

BATCH_MARK = "belay_dlq_batch"
"""The header of a dead letter that is a whole batch of records, with their offsets: its body is the batch as it was."""

DEAD_LETTER_MARKS = ("belay_dlq_code", "belay_dlq_reason", "belay_dlq_origin")
"""What is added to the headers of a record that is put aside, at their end."""


def as_dead_letter(record: Record, topic: str, faults: Sequence[Fault]) -> Headers:
    """The headers of a record that goes to the dead letters of `topic`: its own, and why, and whence."""
    reason = "; ".join(fault.in_words for fault in faults)
    origin = f"{topic}/{record.partition}/{record.offset}"
    marks = (faults[0].code, reason[:2_000], origin)
    values = (mark.encode(errors="replace") for mark in marks)
    own = [pair for pair in record.headers if pair[0] != UNREADABLE_MARK]
    return [*own, *zip(DEAD_LETTER_MARKS, values, strict=True)]


def as_it_was(record: Record) -> Headers:
    """The headers of a dead letter before it was put aside; marks that the record itself came with stay."""
    last = {name: position for position, (name, _) in enumerate(record.headers)}
    added = {last[mark] for mark in DEAD_LETTER_MARKS if mark in last}
    return [pair for position, pair in enumerate(record.headers) if position not in added]


def readable(text: str) -> str:
    """Foreign text as our own messages may hold it: short, and without NUL, which no reader takes."""
    return text[:200].replace("\x00", "")


def is_id(text: str) -> bool:
    """Whether this can be a message's id: 1 to 200 printable ASCII characters without spaces."""
    return _ID.fullmatch(text) is not None


Attributes = Mapping[str, str]
"""The headers of a record by their names in lower case."""


def attributes_of(record: Record) -> Attributes:
    """All headers as text, names in lower case, as clients may write them. Bytes that are no UTF-8 are replaced."""
    return {name.lower(): value.decode(errors="replace") for name, value in record.headers if value}


def stands_in(record: Record) -> bool:
    """Whether it is no record that somebody sent, but stands for bytes that cannot be read as one."""
    return bool(record.headers) and record.headers[0][0] == UNREADABLE_MARK


def decode(record: Record, attributes: Attributes | None = None) -> Envelope[Message]:
    """The message in a record; its attributes, where they were looked at before.

    Raises Unreadable with every fault found: no id, unknown type or version, too large, not JSON, wrong fields.
    """
    if stands_in(record):
        message = (record.headers[0][1] or b"").decode()
        raise Unreadable(Fault(code=ErrorCode.UNREADABLE, field="", message=message))
    attributes = attributes or attributes_of(record)
    kind = _class_of(record.topic, attributes)
    body = record.value or b""
    if faults := _unfit(body, LIVE[kind.TOPIC].max_body):
        raise Unreadable(*faults)
    try:
        # An event may say more than we know, at any depth: its producer may be newer. A command must not.
        data = kind.model_validate_json(body, **_STRICTNESS[kind.IS_COMMAND])
    except ValidationError as error:
        raise Unreadable(*_body_faults(error)) from error
    return _envelope(attributes, data.newest())


_STRICTNESS: Mapping[bool, dict[str, Any]] = {
    True: {"extra": "forbid"},
    False: {"extra": "ignore", "context": IN_AN_EVENT},
}
"""How a body is read, by whether it is a command's."""


def _class_of(topic: str, attributes: Attributes) -> type[Message]:
    type_name, identifier = attributes.get("ce_type", ""), attributes.get("ce_id", "")
    kind = REGISTRY.get(type_name)
    if kind and is_id(identifier) and topic.endswith(kind.TOPIC):
        return kind
    faults = []
    if not is_id(identifier):
        message = "needs an id of 1 to 200 printable ASCII characters without spaces"
        faults.append(_fault(ErrorCode.UNREADABLE, "ce_id", message, identifier))
    if not type_name:
        faults.append(_fault(ErrorCode.UNREADABLE, "ce_type", "needs the header ce_type (CloudEvents binary mode)", ""))
    elif kind is None:
        faults.append(_fault(ErrorCode.UNKNOWN_TYPE, "ce_type", _known_like(type_name), type_name))
    elif not topic.endswith(kind.TOPIC):
        faults.append(_fault(ErrorCode.UNKNOWN_TYPE, "ce_type", f"belongs on the topic {kind.TOPIC}", type_name))
    raise Unreadable(*faults)


def _unfit(body: bytes, limit: int) -> list[Fault]:
    """What is wrong with a body before it is parsed."""
    faults = []
    if len(body) > limit:
        message = f"the body has {len(body)} bytes; at most {limit} are taken"
        faults.append(Fault(code=ErrorCode.UNREADABLE, field="", message=message))
    if b"\\u0000" in body and _NUL.search(body):
        message = "text must not hold the character NUL; PostgreSQL cannot keep it"
        faults.append(Fault(code=ErrorCode.UNREADABLE, field="", message=message))
    return faults


def _envelope(attributes: Attributes, data: Message) -> Envelope[Message]:
    sequence = attributes.get("ce_sequence", "")
    return Envelope(
        data=data,
        id=attributes["ce_id"],
        source=attributes.get("ce_source", ""),
        time=_time(attributes.get("ce_time", "")),
        sequence=int(sequence) if sequence.isascii() and sequence.isdigit() and len(sequence) < 19 else 0,
        correlation_id=readable(attributes.get("ce_correlationid", "")),
        causation_id=readable(attributes.get("ce_causationid", "")),
        traceparent=_trace(attributes.get("ce_traceparent", "")),
        actor=readable(attributes.get("ce_actor", "")),
    )


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)  # the attribute is optional and a foreign client may leave it out
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _trace(text: str) -> str:
    return text if len(text) == 55 and text.isascii() else ""


def _fault(code: ErrorCode, field: str, message: str, value: str) -> Fault:
    return Fault(code=code, field=field, message=message, value=readable(value))


def _known_like(type_name: str) -> str:
    stem = type_name.rsplit(".v", 1)[0]
    versions = sorted(known for known in REGISTRY if known.rsplit(".v", 1)[0] == stem)
    return f"this version is unknown; known: {', '.join(versions)}" if versions else "no message has this type"


def _body_faults(error: ValidationError) -> tuple[Fault, ...]:
    if error.error_count() == 1 and error.errors()[0]["type"] in {"json_invalid", "model_type"}:
        return (Fault(code=ErrorCode.UNREADABLE, field="", message="the body must be one JSON object"),)
    return faults_of(error)
