"""Content is sent to a site once, whole, and goes on where it was interrupted."""

import asyncio
import gc
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from obstore.store import LocalStore

from services.deployer.drivers import Item
from services.deployer.drivers.content import WHOLE, Damaged, FolderSink, Pace, send
from shared.blobs import CHUNK, Blobs, UnknownBlob

KIB = 1024


class Interrupted(Exception):
    """The deployer is no more."""


class Wire(FolderSink):
    """Counts what passes, and breaks where it is told to: before or after the site has it."""

    def __init__(self, folder: Path, breaks_after: int | None = None, *, arrived: bool = False) -> None:
        super().__init__(folder)
        self.passed = 0
        self.on_its_way = self.most_on_its_way = 0
        self._left = breaks_after
        self._arrived = arrived

    async def append(self, item: Item, offset: int, chunk: bytes) -> None:
        self.passed += len(chunk)
        self.on_its_way += len(chunk)
        self.most_on_its_way = max(self.most_on_its_way, self.on_its_way)
        last = self._left == 0
        self._left = None if self._left is None else self._left - 1
        if last and not self._arrived:
            raise Interrupted
        await super().append(item, offset, chunk)
        self.on_its_way -= len(chunk)
        if last:
            raise Interrupted


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    folder = tmp_path / "blobs"
    return Blobs(LocalStore(folder, mkdir=True), folder)


async def stored(blobs: Blobs, *sizes: int) -> list[Item]:
    return [await _stored(blobs, n, size) for n, size in enumerate(sizes)]


async def _stored(blobs: Blobs, n: int, size: int) -> Item:
    content = hashlib.shake_256(str(n).encode()).digest(size)

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    blob = await blobs.put(chunks(), size)
    return Item("web", "package", f"wheels/{n}.whl", blob.sha256, size)


def whole(folder: Path, items: Sequence[Item]) -> bool:
    return all(hashlib.sha256((folder / i.sha256).read_bytes()).hexdigest() == i.sha256 for i in items)


async def test_what_is_missing_is_sent_and_what_lies_there_is_not(blobs: Blobs, tmp_path: Path) -> None:
    items = await stored(blobs, 3 * CHUNK + 5, 10, 0, 200 * KIB)
    told: list[int] = []
    total = sum(item.bytes for item in items)
    assert await send(items, FolderSink(tmp_path / "s"), blobs, Pace().at("s"), told.append) == total
    assert sum(told) == total
    assert whole(tmp_path / "s", items)
    assert await send(items, FolderSink(tmp_path / "s"), blobs, Pace().at("s")) == 0
    more = [*items, *await stored(blobs, 3 * CHUNK + 5, 10, 0, 200 * KIB, 77)]
    assert await send(more, FolderSink(tmp_path / "s"), blobs, Pace().at("s")) == 77


@pytest.mark.parametrize("arrived", [True, False], ids=["after it arrived", "before it arrived"])
@pytest.mark.parametrize("breaks_after", range(8))
async def test_interrupted_at_any_chunk_no_more_than_one_chunk_is_sent_twice(
    blobs: Blobs, tmp_path: Path, breaks_after: int, arrived: bool
) -> None:
    items = await stored(blobs, 3 * CHUNK + 7, 300 * KIB, CHUNK, 200 * KIB, 100 * KIB)
    folder = tmp_path / "s"
    first, second = Wire(folder, breaks_after, arrived=arrived), Wire(folder)
    with pytest.raises(Interrupted):
        await send(items, first, blobs, Pace().at("s"))
    await send(items, second, blobs, Pace().at("s"))
    assert whole(folder, items)
    assert 0 <= first.passed + second.passed - sum(item.bytes for item in items) <= CHUNK
    assert max(first.most_on_its_way, second.most_on_its_way) <= CHUNK


async def test_what_came_out_wrong_is_sent_once_more_from_its_beginning(blobs: Blobs, tmp_path: Path) -> None:
    [item] = await stored(blobs, 2 * CHUNK)
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / f".{item.sha256}.part").write_bytes(b"\0" * CHUNK)  # a machine lost its power, and its last blocks
    assert await send([item], FolderSink(folder), blobs, Pace().at("s")) == 3 * CHUNK
    assert whole(folder, [item])


async def test_content_that_is_not_what_its_digest_says_never_appears(blobs: Blobs, tmp_path: Path) -> None:
    [item] = await stored(blobs, 10)
    wrong = Item("web", "package", "x", "0" * 64, 10)
    stored_as = tmp_path / "blobs" / "00" / wrong.sha256
    stored_as.parent.mkdir(exist_ok=True)
    stored_as.write_bytes(b"0123456789")
    with pytest.raises(Damaged):
        await send([item, wrong], FolderSink(tmp_path / "s"), blobs, Pace().at("s"))
    assert not (tmp_path / "s" / wrong.sha256).exists()


async def test_a_blob_that_is_gone_is_named(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(UnknownBlob, match="f" * 64):
        await send([Item("web", "package", "x", "f" * 64, 1)], FolderSink(tmp_path), blobs, Pace().at("s"))


async def test_discarded_items_are_gone_whole_or_in_part(blobs: Blobs, tmp_path: Path) -> None:
    one, two = await stored(blobs, 2 * CHUNK, 2 * CHUNK + 1)
    sink = Wire(tmp_path / "s", 2)
    with pytest.raises(Interrupted):
        await send([one, two], sink, blobs, Pace().at("s"))
    assert await sink.discard([one, two]) >= 1
    assert list((tmp_path / "s").iterdir()) == []
    assert await sink.discard([one, two]) == 0
    assert await sink.offsets([one, two]) == [0, 0]


async def test_a_site_gets_no_more_than_its_limit_whoever_sends(blobs: Blobs, tmp_path: Path) -> None:
    items = await stored(blobs, 400 * KIB, 401 * KIB)
    pace = Pace(site_bytes=400 * KIB)
    began = time.monotonic()
    sends = [send([item], FolderSink(tmp_path / str(n)), blobs, pace.at("s")) for n, item in enumerate(items)]
    assert sum(await asyncio.gather(*sends)) == 801 * KIB
    assert time.monotonic() - began > 0.95  # a second's worth at once, and the rest in a second


async def test_the_pace_of_a_site_goes_on_from_one_item_to_the_next() -> None:
    pace = Pace(site_bytes=400 * KIB)
    began = time.monotonic()
    async with pace.at("s").admit(400 * KIB):  # what may come at once
        pass
    gc.collect()
    async with pace.at("s").admit(400 * KIB):
        pass
    assert time.monotonic() - began > 0.95, "forgotten, it would begin with a second's worth again"


async def test_the_limit_of_the_fleet_is_divided_among_deployers(blobs: Blobs, tmp_path: Path) -> None:
    items = await stored(blobs, 400 * KIB)
    pace = Pace(fleet_bytes=400 * KIB)
    pace.divide(2)
    began = time.monotonic()
    await send(items, FolderSink(tmp_path / "s"), blobs, pace.at("s"))
    assert time.monotonic() - began > 0.9


async def test_a_slow_site_gets_small_chunks_and_small_limits_work(blobs: Blobs, tmp_path: Path) -> None:
    [item] = await stored(blobs, 30_000)
    assert Pace(site_bytes=400 * KIB).at("s").most == 100 * KIB
    assert Pace().at("s").most == CHUNK
    await send([item], FolderSink(tmp_path / "s"), blobs, Pace(site_bytes=29_000).at("s"))
    assert (await FolderSink(tmp_path / "s").offsets([item])) == [WHOLE]
