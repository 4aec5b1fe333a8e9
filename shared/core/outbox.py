"""What an outbox row holds: many records for Kafka, packed, because a row for each would cost more than its content."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import lz4.block
import msgspec

from shared.wire.codec import Headers
from shared.wire.topics import LIVE

Outgoing = tuple[str, bytes | None, Headers, bytes | None]
"""Topic, key, headers and body of a record that is to be sent; none is not the same as empty, as in Kafka."""

SHARDS = 4
BATCH_BYTES = 32_768
"""Of keys and bodies, before compression: after it a batch mostly fits a page of PostgreSQL, beside its table."""

_DECODER = msgspec.msgpack.Decoder(list[tuple[str, bytes | None, list[tuple[str, bytes | None]], bytes | None]])
_ENCODER = msgspec.msgpack.Encoder()


RECORD_OVERHEAD = 61 + 5 + 1 + 10 + 5 + 3 * 5
"""Bytes that Kafka adds to a record alone in its batch: the batch's head; the record's length, attributes, time and
offset, and the lengths of key, value and headers, each at its longest (KIP-98)."""

HEADER_OVERHEAD = 2 * 5
"""The lengths of a header's name and value, at their longest."""


def record_bytes(key: bytes | None, headers: Headers, body: bytes | None) -> int:
    """Of key, headers and body."""
    in_headers = sum(len(name.encode(errors="replace")) + len(value or b"") for name, value in headers)
    return len(key or b"") + in_headers + len(body or b"")


def batch_bytes(key: bytes | None, headers: Headers, body: bytes | None) -> int:
    """The most that the record takes of a topic's `max.message.bytes`, as Kafka counts it."""
    return record_bytes(key, headers, body) + RECORD_OVERHEAD + HEADER_OVERHEAD * len(headers)


def shard_of(key: bytes | None) -> int:
    """The outbox shard of a key: the same for ever, so that records of one key keep their order."""
    return zlib.crc32(key or b"") % SHARDS


_COMPACTED = frozenset(topic.name for topic in LIVE.values() if topic.compacted)


def ordered_by(record: Outgoing) -> bytes | None:
    """What a record keeps its order with: the key; on a compacted topic the aggregate, since there a key may be of one
    change alone, so that a history is not compacted away."""
    topic, key, headers, _ = record
    return next((value for name, value in headers if name == "ce_subject"), key) if topic in _COMPACTED else key


def batches(records: Sequence[Outgoing]) -> Iterator[tuple[int, int, bytes]]:
    """Shard, number of records and packed content of each batch, in order within a shard."""
    by_shard: dict[int, list[Outgoing]] = defaultdict(list)
    for record in records:
        by_shard[shard_of(ordered_by(record))].append(record)
    for shard, mine in by_shard.items():
        for chunk in _chunks(mine):
            yield shard, len(chunk), pack(chunk)


def pack(records: Sequence[Outgoing]) -> bytes:
    """Whatever Kafka can carry survives unchanged."""
    packed: bytes = lz4.block.compress(_ENCODER.encode(records))
    return packed


def unpack(batch: bytes) -> list[Outgoing]:
    """The inverse of `pack`."""
    return _DECODER.decode(lz4.block.decompress(batch))


def unpacked_bytes(batch: bytes) -> int:
    """How large it is once it is unpacked; lz4's blocks begin with it."""
    return int.from_bytes(batch[:4], "little")


def _chunks(records: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    chunk: list[Outgoing] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += len(record[1] or b"") + len(record[3] or b"")
        if size >= BATCH_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
