"""What an outbox row holds: many records for Kafka, packed, because a row for each would cost more than its content."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import lz4.block
import msgspec

from shared.codec import Headers

Outgoing = tuple[str, bytes | None, Headers, bytes | None]
"""Topic, key, headers and body of a record that is to be sent; none is not the same as empty, as in Kafka."""

SHARDS = 4
PARCEL_BYTES = 32_768
"""Of keys and bodies, before compression: after it a parcel mostly fits a page of PostgreSQL, beside its table."""

_DECODER = msgspec.msgpack.Decoder(list[tuple[str, bytes | None, list[tuple[str, bytes | None]], bytes | None]])
_ENCODER = msgspec.msgpack.Encoder()


def shard_of(key: bytes | None) -> int:
    """The outbox shard of a key: the same for ever, so that records of one key keep their order."""
    return zlib.crc32(key or b"") % SHARDS


def parcels(records: Sequence[Outgoing]) -> Iterator[tuple[int, int, bytes]]:
    """Shard, number of records and packed content of each parcel, in order within a shard."""
    by_shard: dict[int, list[Outgoing]] = defaultdict(list)
    for record in records:
        by_shard[shard_of(record[1])].append(record)
    for shard, mine in by_shard.items():
        for chunk in _chunks(mine):
            yield shard, len(chunk), pack(chunk)


def pack(records: Sequence[Outgoing]) -> bytes:
    """Whatever Kafka can carry survives unchanged."""
    packed: bytes = lz4.block.compress(_ENCODER.encode(records))
    return packed


def unpack(parcel: bytes) -> list[Outgoing]:
    """The inverse of `pack`."""
    return _DECODER.decode(lz4.block.decompress(parcel))


def _chunks(records: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    chunk: list[Outgoing] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += len(record[1] or b"") + len(record[3] or b"")
        if size >= PARCEL_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
