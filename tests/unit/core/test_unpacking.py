"""Batches as foreign clients may write them: every codec, within bounds, and what cannot be read says why."""

import gzip
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cramjam
import lz4.frame
import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as some

from shared.wire.codec import BATCH_MARK, UNREADABLE_MARK
from shared.wire.unpacking import Budget, Fitting

MOST = 100_000
END = 1_000
NAMES = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
Records = list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]
SOME: Records = [(b"k", b"v" * 200, [("a", None), ("", b"")]), (None, None, []), (b"", b"", [("a", b"1"), ("a", b"2")])]


def batch(records: Records, codec: int = 0, base: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 10**9)
    for number, (key, value, headers) in enumerate(records):
        builder.append(number, 1_700_000_000_000 + number, key, value, headers)
    made = bytearray(builder.build())
    struct.pack_into(">q", made, 0, base)
    return bytes(made)


def packed(name: int, content: bytes, base: int = 0, count: int = 1) -> bytes:
    """A batch whose records are these bytes, whatever they are."""
    made = bytearray(batch([(b"k", b"v", [])], 0, base)[:61])
    made[8:12] = struct.pack(">i", 49 + len(content))
    made[21:23] = struct.pack(">h", name)
    made[23:27] = struct.pack(">i", count - 1)
    made[57:61] = struct.pack(">i", count)
    return sealed(bytes(made) + content)


def sealed(made: bytes) -> bytes:
    return made[:17] + struct.pack(">I", calc_crc32c(made[21:])) + made[21:]


def read(data: bytes) -> list[Any]:
    records, found = MemoryRecords(data), []
    while records.has_next():
        one = records.next_batch()
        assert one is not None
        assert one.validate_crc()
        found += list(one)
    return found


def fit(data: bytes, *, most: int = MOST, careful: bool = False) -> list[Any]:
    return read(Fitting(most, careful=careful).fit(data, END, Budget(most)))


def plain(record: Any) -> Any:
    return record.key, record.value, list(record.headers)


@pytest.mark.parametrize("codec", NAMES.values(), ids=NAMES)
def test_each_codec_is_read_with_offsets_and_times_as_they_were(codec: int) -> None:
    found = fit(batch(SOME, codec, base=7) + batch(SOME, codec, base=10))
    assert [plain(record) for record in found] == SOME * 2
    assert [record.offset for record in found] == [7, 8, 9, 10, 11, 12]
    assert [record.timestamp for record in found[:3]] == [1_700_000_000_000 + n for n in range(3)]


HEADERS = some.lists(some.tuples(some.text(max_size=5), some.none() | some.binary(max_size=9)), max_size=3)
ANY = some.lists(some.tuples(some.none() | some.binary(), some.none() | some.binary(), HEADERS), min_size=1, max_size=9)


@given(ANY, some.sampled_from(list(NAMES.values())), some.booleans())
def test_whatever_is_in_a_batch_comes_out_of_it(records: Records, codec: int, careful: bool) -> None:
    assert [plain(record) for record in fit(batch(records, codec), careful=careful)] == records


def test_what_needs_nothing_is_the_same_object() -> None:
    data = batch(SOME) + batch(SOME, base=3)
    assert Fitting(MOST).fit(data, END, Budget(MOST)) is data


def test_snappy_as_java_writes_it_and_gzip_of_several_parts_are_read() -> None:
    content = batch([(b"k", b"v" * 90_000, [])])[61:]
    blocks = [bytes(cramjam.snappy.compress_raw(content[i : i + 32_768])) for i in range(0, len(content), 32_768)]
    framed = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1) + b"".join(struct.pack(">i", len(b)) + b for b in blocks)
    parts = gzip.compress(content[:1_000]) + gzip.compress(content[1_000:])
    for number, whole in ((2, framed), (1, parts)):
        (found,) = fit(packed(number, whole))
        assert plain(found) == (b"k", b"v" * 90_000, [])


PACK: dict[int, Callable[[bytes], bytes]] = {
    1: gzip.compress,
    2: lambda b: bytes(cramjam.snappy.compress_raw(b)),
    3: lambda b: lz4.frame.compress(b, block_linked=False),  # linked ones Kafka refuses
    4: lambda b: bytes(cramjam.zstd.compress(b)),
}


@pytest.mark.parametrize("codec", PACK)
def test_a_bomb_is_put_aside_whole_and_takes_no_more_than_the_limit(codec: int) -> None:
    bomb = packed(codec, PACK[codec](bytes(200_000_000)), base=5, count=3)
    tracemalloc.start()
    found = fit(bomb + batch(SOME, base=8), most=2**20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    aside, *others = found
    assert (aside.value, aside.offset) == (bomb, 7)
    assert dict(aside.headers)[BATCH_MARK] == b"5-7"
    assert b"more than 1048576 bytes" in dict(aside.headers)[UNREADABLE_MARK]
    assert [plain(record) for record in others] == SOME
    assert peak < 10 * 2**20 + 6 * len(bomb)


UNREADABLE = {
    "a codec of the future": packed(5, b"abc"),
    "gzip cut short": packed(1, gzip.compress(b"a" * 1_000)[:-4]),
    "gzip damaged": packed(1, b"\x1f\x8b" + b"\x00" * 20),
    "snappy damaged": packed(2, b"\xff" * 20),
    "xerial damaged": packed(2, b"\x82SNAPPY\x00" + b"\x00" * 8 + b"\x7f" * 9),
    "xerial cut short": packed(2, b"\x82SNAPPY\x00" + b"\x00" * 8 + b"\x00"),
    "lz4 damaged": packed(3, b"\x04\x22\x4d\x18" + b"\xff" * 20),
    "lz4 cut short": packed(3, lz4.frame.compress(b"a" * 1_000)[:-8]),
    "lz4 of nothing": packed(3, b""),
    "zstd damaged": packed(4, b"\x28\xb5\x2f\xfd" + b"\xff" * 20),
    "zstd cut short": packed(4, bytes(cramjam.zstd.compress(b"a" * 1_000))[:-2]),
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_a_batch_that_cannot_be_unpacked_is_put_aside_and_what_follows_is_read(data: bytes) -> None:
    aside, *others = fit(data + batch(SOME, base=1))
    assert (aside.value, aside.offset, aside.headers[0][0]) == (data, 0, UNREADABLE_MARK)
    assert [plain(record) for record in others] == SOME


def test_records_of_a_batch_that_cannot_be_read_are_put_aside_alone() -> None:
    odd = bytearray(batch([*SOME, (b"k", b"v", [("xx", b"y")]), *SOME], base=40))
    at = odd.find(b"xx")
    odd[at : at + 2] = b"\xff\xfe"
    found = fit(sealed(bytes(odd)), careful=True)
    assert [plain(record) for record in found[:3] + found[4:]] == SOME * 2
    assert (found[3].offset, found[3].headers[0][0]) == (43, UNREADABLE_MARK)
    assert b"\xff\xfe" in found[3].value
    assert [record.offset for record in found] == list(range(40, 47))


def test_torn_records_are_one_to_the_end_of_their_batch() -> None:
    whole = batch(SOME, base=40)
    for cut in range(62, len(whole), 7):
        torn = sealed(whole[:8] + struct.pack(">i", cut - 12) + whole[12:cut])
        found = fit(torn, careful=True)
        assert found[-1].headers[0][0] == UNREADABLE_MARK
        assert found[-1].offset == 42
        assert [plain(record) for record in found[:-1]] == SOME[: len(found) - 1]


def test_a_wrong_checksum_is_fetched_again_and_put_aside_when_it_stays() -> None:
    damaged = bytearray(batch(SOME, base=5))
    damaged[-1] ^= 1
    data, fitting = bytes(damaged) + batch(SOME, base=8), Fitting(MOST)
    with pytest.raises(CorruptRecordException):
        fitting.fit(data, END, Budget(MOST))
    aside, *others = read(fitting.fit(data, END, Budget(MOST)))
    assert (aside.value, aside.offset) == (bytes(damaged), 7)
    assert [plain(record) for record in others] == SOME


def test_a_damaged_head_leads_no_further_than_the_log_goes() -> None:
    damaged = bytearray(batch(SOME, base=5))
    damaged[23:27] = struct.pack(">i", 900_000)
    fitting = Fitting(MOST)
    with pytest.raises(CorruptRecordException):
        fitting.fit(bytes(damaged), 8, Budget(MOST))
    (aside,) = read(fitting.fit(bytes(damaged), 8, Budget(MOST)))
    assert aside.offset == 7


def test_what_is_beyond_the_budget_is_left_for_the_next_time() -> None:
    big = batch([(b"k", b"v" * 60_000, [])], 1)
    data = b"".join(big[:0] + struct.pack(">q", n) + big[8:] for n in range(10))
    budget = Budget(MOST)
    assert [record.offset for record in read(Fitting(MOST).fit(data, END, budget))] == [0, 1]
    assert read(Fitting(MOST).fit(data, END, budget)) == []


@given(some.binary(max_size=20), some.integers(0, 255))
def test_no_batch_of_an_older_format_raises_anything(rest: bytes, magic: int) -> None:
    data = bytes(8) + struct.pack(">i", 5 + len(rest)) + bytes(4) + bytes([magic]) + rest
    for careful in (True, False):
        with suppress(CorruptRecordException):
            Fitting(MOST, careful=careful).fit(data, END, Budget(MOST))


@given(some.binary(max_size=300))
def test_no_bytes_at_all_raise_anything_but_a_wrong_checksum(data: bytes) -> None:
    fitting = Fitting(MOST, careful=True)
    for _ in range(3):
        try:
            read(fitting.fit(data, END, Budget(MOST)))
        except CorruptRecordException as error:
            assert "checksum" in str(error) or len(data) < 61  # noqa: PT017
