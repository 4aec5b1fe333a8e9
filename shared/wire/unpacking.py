"""Batches of records as foreign clients may write them, made fit to be read: unpacked within bounds, each of them.

aiokafka unpacks whatever comes, at any size and in the event loop, and raises over what it cannot read; it would over
the same record again after each start. So what it fetched is looked at before it is: a compressed batch is unpacked
here, and what cannot be read takes the form of a record that holds its bytes and says why (`unreadable`).

Kafka's own limit, `max.message.bytes`, counts a batch as it was sent: 6 KB may unpack to 200 MB.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cramjam
import lz4.frame
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c, decode_varint, encode_varint

from shared.wire.codec import BATCH_MARK, UNREADABLE_MARK

_HEAD = struct.Struct(">qiibIhiqqqhii")
"""Of a batch (KIP-98): base offset, length, leader epoch, magic, CRC, attributes, last offset's delta, times, producer,
number of records."""

_FRAME = struct.Struct(">qiib")
"""Of a batch of any age: base offset, length, something, magic."""

LENGTH_COUNTS_FROM, CRC_AT, CRC_COUNTS_FROM = 12, 17, 21
CODEC, CONTROL = 0x07, 0x20
XERIAL = b"\x82SNAPPY\x00"
MOST_RECORDS = 1_000_000
"""In one batch; a corrupt head may claim any number."""


class Unfit(Exception):
    """These bytes cannot be read as records; the text says why."""


class _TooMuch(Exception):
    """There is more than is to be unpacked; nothing of it is kept."""


# -- codecs -------------------------------------------------------------------------------------------------------


def _gunzip(packed: memoryview, most: int) -> bytes:
    rest, parts, size = bytes(packed), [], 0
    while rest:  # a stream may consist of several
        stream = zlib.decompressobj(wbits=31)
        parts.append(stream.decompress(rest, most + 1 - size))
        size += len(parts[-1])
        if size > most:
            raise _TooMuch
        if not stream.eof:
            raise Unfit("ends too early")
        rest = stream.unused_data
    return b"".join(parts)


def _unsnap(packed: memoryview, most: int) -> bytes:
    """Either one block, or blocks behind a header as Java's library writes them (xerial)."""
    blocks = list(_xerial(packed)) if packed[: len(XERIAL)] == XERIAL else [packed]
    if sum(map(cramjam.snappy.decompress_raw_len, blocks)) > most:
        raise _TooMuch
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def _xerial(packed: memoryview) -> Iterator[memoryview]:
    position = 16
    while position < len(packed):
        (length,) = struct.unpack_from(">i", packed, position)
        position += 4
        if not 0 < length <= len(packed) - position:
            raise Unfit("a block is longer than all")
        yield packed[position : position + length]
        position += length


def _unlz4(packed: memoryview, most: int) -> bytes:
    stream = lz4.frame.LZ4FrameDecompressor()
    unpacked: bytes = stream.decompress(packed, max_length=most + 1)
    if len(unpacked) <= most and not stream.eof:
        raise Unfit("ends too early")
    return unpacked


def _unzstd(packed: memoryview, most: int) -> bytes:
    room = bytearray(most + 1)  # of which the machine gives only what is written
    try:
        return bytes(memoryview(room)[: cramjam.zstd.decompress_into(packed, room)])
    except cramjam.DecompressionError as error:
        if "whole buffer" in str(error):
            raise _TooMuch from error
        raise


CODECS: dict[int, tuple[str, Callable[[memoryview, int], bytes]]] = {
    1: ("gzip", _gunzip),
    2: ("snappy", _unsnap),
    3: ("lz4", _unlz4),
    4: ("zstd", _unzstd),
}
"""Name and function by Kafka's number. A function unpacks what it is given, of which it makes at most one byte more
than it is told; 0 is no compression."""


def unpack(codec: int, packed: memoryview, most: int) -> bytes:
    """The records of a batch. Raises Unfit for an unknown codec, what is corrupt, and more than `most` bytes."""
    if codec not in CODECS:
        raise Unfit(f"it is compressed in a way that this version does not know (codec {codec})")
    name, function = CODECS[codec]
    try:
        return _within(most, function(packed, most))
    except _TooMuch as error:
        raise Unfit(f"unpacked by {name} it has more than {most} bytes (BELAY_UNPACKED_MAX)") from error
    except (Unfit, zlib.error, RuntimeError, EOFError, struct.error, cramjam.DecompressionError) as error:
        raise Unfit(f"it cannot be unpacked by {name}: {error}") from error


def _within(most: int, unpacked: bytes) -> bytes:
    if len(unpacked) > most:
        raise _TooMuch
    return unpacked


# -- batches ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Budget:
    """How many bytes may be unpacked for one answer of a broker: what it sent at once is kept at once."""

    left: int

    def takes(self, size: int) -> bool:
        """Whether there was still room; one batch may go beyond it."""
        had = self.left > 0
        self.left -= size
        return had


class Fitting:
    """Makes what a consumer fetched fit to be read. `careful`: look into batches that are not compressed, too."""

    def __init__(self, most: int, *, careful: bool = False) -> None:
        """`most`: bytes of an unpacked batch."""
        self.most = most
        self.careful = careful
        self._corrupt: set[int] = set()

    def needs(self, data: bytes) -> bool:
        """Whether any of these batches takes more than a look at its head."""
        return self.careful or any(_is_packed(data[start:end]) for start, end in _frames(data))

    def fit(self, data: bytes, end: int, budget: Budget) -> bytes:
        """The same batches, none of them compressed or unreadable; fewer where the budget ends. The same object if
        nothing had to be done.

        `end`: the first offset that the partition does not have yet. Raises CorruptRecordException for a batch whose
        checksum is wrong for the first time: it may have come over the wire badly, and is fetched again.
        """
        fit: list[bytes] = []
        changed = False
        for start, stop in _frames(data):
            batch = data[start:stop]
            made = self._fit_one(batch, end, budget)
            if made is None:
                return b"".join(fit)
            changed = changed or made is not batch
            fit.append(made)
        return b"".join(fit) if changed else data

    def _fit_one(self, batch: bytes, end: int, budget: Budget) -> bytes | None:
        try:
            if batch[16] < 2:
                return _old(batch)
            self._check(batch)
            head = _HEAD.unpack_from(batch)
            if head[5] & CONTROL:
                return batch
            if codec := head[5] & CODEC:
                if budget.left <= 0:
                    return None
                records = unpack(codec, memoryview(batch)[_HEAD.size :], self.most)
                budget.takes(len(records))
                return _readable(_plain(head, records))
            return _readable(batch) if self.careful else batch
        except Unfit as unfit:
            return _aside(batch, end, str(unfit))

    def _check(self, batch: bytes) -> None:
        if len(batch) < _HEAD.size:
            raise Unfit("it is shorter than the head of a batch")
        (crc,) = struct.unpack_from(">I", batch, CRC_AT)
        if calc_crc32c(memoryview(batch)[CRC_COUNTS_FROM:]) == crc:
            return
        if (seen := hash(batch)) not in self._corrupt:
            self._corrupt = {*list(self._corrupt)[-100:], seen}
            raise CorruptRecordException("the checksum of a batch is wrong; it is fetched once more")
        raise Unfit("its checksum is wrong: Kafka's log is damaged here")


def _frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each batch begins and ends; a last one that came only in part is left out."""
    start = 0
    while start + _FRAME.size <= len(data):
        _, length, _, _ = _FRAME.unpack_from(data, start)
        stop = start + LENGTH_COUNTS_FROM + length
        if length < _FRAME.size - LENGTH_COUNTS_FROM or stop > len(data):
            return
        yield start, stop
        start = stop


def _is_packed(batch: bytes) -> bool:
    return len(batch) > _HEAD.size and batch[16] >= 2 and bool(batch[22] & CODEC)


def _old(batch: bytes) -> bytes:
    """Formats that Kafka has not written to a topic like ours since 0.11, and 4.0 no longer knows."""
    if batch[17:18] and batch[17] & CODEC:
        raise Unfit("it is compressed in a format that is older than Kafka 0.11")
    return batch


def _plain(head: tuple[int, ...], records: bytes) -> bytes:
    """The batch without compression, all else as it was."""
    values = [*head]
    values[1] = _HEAD.size - LENGTH_COUNTS_FROM + len(records)
    values[5] &= ~CODEC
    batch = bytearray(_HEAD.pack(*values))
    batch += records
    struct.pack_into(">I", batch, CRC_AT, calc_crc32c(memoryview(batch)[CRC_COUNTS_FROM:]))
    return bytes(batch)


def _readable(batch: bytes) -> bytes:
    """The batch, if aiokafka can read it; else with only those records put aside that it cannot read."""
    try:
        for _ in DefaultRecordBatch(batch):
            pass
    except (CorruptRecordException, ValueError, IndexError, OverflowError):
        head = _HEAD.unpack_from(batch)
        records = list(_sorted_out(batch, head))
        return _plain((*head[:-1], len(records)), b"".join(records))
    return batch


def _sorted_out(batch: bytes, head: tuple[int, ...]) -> Iterator[bytes]:
    """Each record as it is, or as a record that says why it cannot be read; after a torn one the rest is one."""
    position, count = _HEAD.size, head[12]
    for number in range(count):
        try:
            length, begin = decode_varint(batch, position)
        except IndexError:
            length, begin = -1, position
        if not 0 < length <= len(batch) - begin:
            yield _stand_in(head[6], batch[position:], "its records are torn")
            return
        record = batch[position : begin + length]
        position = begin + length
        why = _why_unreadable(head, record)
        yield _stand_in(_delta_of(record, number), record, why) if why else record


def _why_unreadable(head: tuple[int, ...], record: bytes) -> str:
    values = [*head[:12], 1]
    values[1] = _HEAD.size - LENGTH_COUNTS_FROM + len(record)
    try:
        list(DefaultRecordBatch(_HEAD.pack(*values) + record))
    except (CorruptRecordException, ValueError, IndexError, OverflowError) as error:
        return f"it is no record that can be read: {error}"
    return ""


def _delta_of(record: bytes, number: int) -> int:
    """How far its offset is from the batch's."""
    try:
        _, position = decode_varint(record, 0)
        _, position = decode_varint(record, position + 1)
        delta: int = decode_varint(record, position)[0]
    except IndexError:
        return number
    return delta


def _stand_in(delta: int, content: bytes, why: str) -> bytes:
    """A record without key that holds the bytes, and why, under a mark that nobody outside this process knows."""
    name, reason = UNREADABLE_MARK.encode(), why.encode(errors="replace")[:500]
    body = bytearray(b"\x00\x00")  # attributes, and no later than the batch
    encode_varint(delta, body.append)
    encode_varint(-1, body.append)  # no key
    encode_varint(len(content), body.append)
    body += content
    encode_varint(1, body.append)  # one header
    for text in (name, reason):
        encode_varint(len(text), body.append)
        body += text
    record = bytearray()
    encode_varint(len(body), record.append)
    return bytes(record + body)


def _aside(batch: bytes, end: int, why: str) -> bytes:
    """A whole batch as one record at its last offset, so that reading goes on behind it."""
    base, _, _, magic = _FRAME.unpack_from(batch)
    delta = _HEAD.unpack_from(batch)[6] if magic >= 2 and len(batch) >= _HEAD.size else 0
    delta = max(0, min(delta if 0 <= delta < MOST_RECORDS else 0, end - 1 - base))
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 2**31 - 1)
    marks = [(UNREADABLE_MARK, why.encode()[:500]), (BATCH_MARK, f"{base}-{base + delta}".encode())]
    builder.append(delta, 0, None, batch, marks)
    made = builder.build()  # a buffer of its own, as large as what it holds
    struct.pack_into(">q", made, 0, base)
    return bytes(made)
