"""Batches of the outbox: whatever Kafka can carry comes out as it went in, also out of those of an older version."""

import lz4.block
import msgspec
from hypothesis import given
from hypothesis import strategies as some

from shared.core.outbox import SHARDS, Outgoing, batches, pack, shard_of, unpack
from shared.wire.codec import Headers

MAYBE = some.none() | some.binary(max_size=50)
HEADERS = some.lists(some.tuples(some.text(max_size=10), MAYBE), max_size=6)
RECORDS = some.lists(some.tuples(some.just("a.events"), MAYBE, HEADERS, MAYBE), min_size=1, max_size=20)


@given(RECORDS)
def test_none_stays_none_and_empty_stays_empty(records: list[Outgoing]) -> None:
    assert unpack(pack(records)) == records


@given(RECORDS)
def test_every_record_is_in_one_batch_and_those_of_a_key_keep_their_order(records: list[Outgoing]) -> None:
    packed = [record for _, _, batch in batches(records) for record in unpack(batch)]
    for key in {record[1] for record in records}:
        assert [r for r in packed if r[1] == key] == [r for r in records if r[1] == key]


def test_a_history_of_which_each_change_has_a_key_of_its_own_keeps_its_order_on_a_compacted_topic() -> None:
    changes: list[Outgoing] = [
        ("deployer.facts", f"place/{nth}".encode(), [("ce_subject", b"place")], b"{}") for nth in range(SHARDS * 4)
    ]
    assert [shard for shard, _, _ in batches(changes)] == [shard_of(b"place")]


def test_a_batch_of_the_version_before_is_read() -> None:
    headers: Headers = [("ce_id", b"1"), ("x", b"")]
    before = lz4.block.compress(msgspec.msgpack.encode([("a.events", b"k", headers, b"{}")]))
    assert unpack(before) == [("a.events", b"k", headers, b"{}")]
