"""Records are CloudEvents: the SDK reads what we write, we read what the SDK writes, and rubbish is told apart."""

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from schemas.examples import EXAMPLES
from shared.core.errors import Unreadable
from shared.core.outbox import pack, unpack
from shared.messages.base import Message
from shared.messages.strategy import PauseStrategy, RegisterSites, Site, SitesChanged
from shared.wire.codec import Envelope, decode, encode

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@dataclass
class Record:
    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    partition: int = 0
    offset: int = 0


def envelope(message: Message, **more: object) -> Envelope[Message]:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    facts = {"id": "e-1", "source": "/belay/test", "time": AT, "sequence": 7, "correlation_id": "c-1", **more}
    return Envelope(data=message, traceparent=trace, causation_id="p-1", actor="ann", **facts)  # type: ignore[arg-type]


def record_of(message: Message, **more: object) -> Record:
    key, headers, body = encode(envelope(message, **more))
    return Record(message.TOPIC, key, body, headers)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.TYPE)
def test_every_message_comes_back_as_it_went(example: Message) -> None:
    assert decode(record_of(example)) == envelope(example)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.TYPE)
def test_the_sdk_reads_what_we_write(example: Message) -> None:
    record = record_of(example)
    event = from_binary(KafkaMessage(dict(record.headers), record.key, record.value or b""), JSONFormat(), CloudEvent)
    attributes = event.get_attributes()
    assert attributes["id"] == "e-1"
    assert attributes["type"] == example.TYPE
    assert attributes["specversion"] == "1.0"
    assert attributes["time"] == AT
    assert attributes["subject"] == example.subject
    assert attributes["sequence"] == "7"
    assert type(example).model_validate(event.get_data()) == example


def test_we_read_what_the_sdk_writes() -> None:
    command = PauseStrategy(strategy="shop-2", reason="lunch")
    attributes = {
        "id": "e-9",
        "type": command.TYPE,
        "source": "/somebody",
        "specversion": "1.0",
        "time": AT,
        "datacontenttype": "application/json",
    }
    written = to_binary(CloudEvent(attributes, command.model_dump(mode="json")), JSONFormat())
    headers = [(k, v if isinstance(v, bytes) else str(v).encode()) for k, v in written.headers.items()]
    value = written.value if isinstance(written.value, bytes) else str(written.value).encode()
    read = decode(Record(command.TOPIC, None, value, headers))
    assert (read.id, read.data, read.time) == ("e-9", command, AT)


def test_all_faults_of_a_body_are_told_at_once() -> None:
    body = b'{"sites":[{"name":"-upper","colour":1},{"driver":"magic","name":"b","managed":"x"}],"more":2}'
    record = Record("strategy.commands", b"fleet", body, [("ce_id", b"1"), ("ce_type", RegisterSites.TYPE.encode())])
    with pytest.raises(Unreadable) as error:
        decode(record)
    found = {(fault.code, fault.field) for fault in error.value.faults}
    assert found == {
        ("invalid_field", "sites.0.name"),
        ("unknown_field", "sites.0.colour"),
        ("invalid_field", "sites.1.managed"),
        ("unknown_field", "more"),
    }


def test_a_body_of_a_hundred_megabytes_is_not_even_parsed() -> None:
    record = Record("strategy.commands", b"k", b"[" * 100_000_000, [("ce_id", b"1"), ("ce_type", b"x")])
    with pytest.raises(Unreadable):
        decode(record)


@given(
    st.lists(st.tuples(st.text(st.characters(codec="ascii"), max_size=20), st.binary(max_size=50)), max_size=10),
    st.binary(max_size=200),
    st.none() | st.binary(max_size=20),
)
def test_no_bytes_at_all_do_worse_than_being_unreadable(
    headers: list[tuple[str, bytes]], body: bytes, key: bytes | None
) -> None:
    known = [("ce_id", b"1"), ("ce_type", RegisterSites.TYPE.encode())]
    for given_headers in (headers, known + headers):
        with contextlib.suppress(Unreadable):
            decode(Record("strategy.commands", key, body, given_headers))


@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=50))))
def test_headers_survive_the_outbox_byte_for_byte(headers: list[tuple[str, bytes]]) -> None:
    clean = [(name.encode("utf-8", "replace").decode(), value) for name, value in headers]
    record = ("strategy.commands", b"key", clean, b"body")
    assert unpack(pack([record, record])) == [record, record]


@pytest.mark.parametrize(("reason", "is_nul"), [("\\u0000", False), ("\x00", True), ("\\\x00", True), ("u0000", False)])
def test_the_character_nul_is_refused_and_a_backslash_is_not(reason: str, is_nul: bool) -> None:
    record = record_of(PauseStrategy(strategy="s", reason=reason))
    if not is_nul:
        assert decode(record).data == PauseStrategy(strategy="s", reason=reason)
        return
    with pytest.raises(Unreadable):
        decode(record)


def test_a_reader_takes_an_event_of_a_newer_version_that_says_more_at_any_depth() -> None:
    body = b'{"sites":[{"name":"oslo","altitude":23}],"season":"winter"}'
    decoded = decode(Record("strategy.events", b"fleet", body, named(SitesChanged.TYPE)))
    assert decoded.data == SitesChanged(sites=(Site(name="oslo"),))


def test_a_command_that_says_more_than_its_owner_knows_is_refused() -> None:
    body = b'{"sites":[{"name":"oslo","altitude":23}]}'
    with pytest.raises(Unreadable) as refused:
        decode(Record("strategy.commands", b"fleet", body, named(RegisterSites.TYPE)))
    assert [fault.field for fault in refused.value.faults] == ["sites.0.altitude"]


def test_a_command_does_not_say_what_it_leaves_at_its_default() -> None:
    command = RegisterSites(sites=(Site(name="oslo"),))
    assert orjson.loads(encode(envelope(command))[2]) == {"sites": [{"name": "oslo"}]}


def named(kind: str) -> list[tuple[str, bytes]]:
    return [("ce_id", b"x-1"), ("ce_type", kind.encode())]
