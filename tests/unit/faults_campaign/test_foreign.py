"""What a foreign client sends is bad by design, and fits into a record."""

import pytest

from tests.faults.foreign import ODD, TYPES, odd_record, record
from tests.faults.odd_records import CODECS, MAX_BODY, ORDINARY_BODY, UNPACKED_MAX
from tests.faults.plan import TOPICS

LARGEST = 1_048_588
"""Bytes that Kafka takes by default."""


@pytest.mark.parametrize("kind", ["unreadable_record", "hostile_record"])
def test_the_same_draw_makes_the_same_record_small_enough_for_kafka(kind: str) -> None:
    for draw in range(200):
        topic = TOPICS[draw % len(TOPICS)]
        key, headers, body = record(kind, topic, draw)
        assert (key, headers, body) == record(kind, topic, draw)
        assert len(key) + len(body or b"") + sum(len(n) + len(v) + 10 for n, v in headers) < LARGEST


def test_each_topic_has_a_type_that_belongs_there() -> None:
    assert TYPES.keys() == set(TOPICS)


def test_odd_records_come_in_every_codec_and_about_every_limit() -> None:
    drawn = [odd_record("sized_record", topic, draw) for topic in ("deployer.events", *MAX_BODY) for draw in range(60)]
    assert {odd.codec for odd in drawn} == set(CODECS)
    sizes = {len(odd.body or b"") for odd in drawn}
    for limit in (ORDINARY_BODY, *MAX_BODY.values()):
        assert {limit - 1, limit, limit + 1} <= sizes
    assert min(sizes) < UNPACKED_MAX < max(sizes)


@pytest.mark.parametrize("kind", sorted(ODD))
def test_the_same_draw_makes_the_same_odd_record(kind: str) -> None:
    for draw in range(5):
        assert odd_record(kind, "strategy.commands", draw) == odd_record(kind, "strategy.commands", draw)


def test_headers_are_absent_empty_doubled_and_no_text() -> None:
    drawn = [odd_record("odd_headers", "site.state", draw) for draw in range(100)]
    values = {value for odd in drawn for _, value in odd.headers}
    assert {None, b""} <= values
    assert {odd.key for odd in drawn} >= {b"", b"fleet"}
