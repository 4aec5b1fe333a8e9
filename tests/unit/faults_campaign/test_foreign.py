"""What a foreign client sends is bad by design, and fits into a record."""

import pytest

from tests.faults.foreign import TYPES, record
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
