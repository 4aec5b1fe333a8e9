"""Content of process sites: sent in chunks, gone on with after kill -9 at any point, in time and room as there is."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from services.deployer.drivers import Broken, Done, Item, Order
from services.deployer.drivers.content import WHOLE, FolderSink, Pace, Source
from services.deployer.drivers.process.content import sink_of
from services.deployer.drivers.process.driver import ProcessDriver
from services.deployer.drivers.process.place import place_of
from shared.blobs import CHUNK
from tests.service.deployer.conftest import DieWithin
from tests.support import process_sites as sites
from tests.support.process_sites import Bundles, finish, order, reach
from tests.support.process_victim import source_beside

CUTS = [
    *(("chunk", f"{side} {nth}") for nth in (1, 3, 5, 6) for side in ("before", "after")),
    ("whole item", "before 1"), ("whole item", "after 2"), ("finish", "before"), ("finish", "after"),
]  # fmt: skip


@pytest.fixture
async def items(bundles: Bundles, home: Path) -> tuple[Item, ...]:
    """A wheel, its lock, and what would be a large wheel."""
    digest = bundles.make("one")
    (bundles.root / digest / "large.bin").write_bytes(os.urandom(3 * CHUNK + 7))
    return await sites.content_of(bundles.root / digest, source_beside(home).blobs)


def fetch(key: str, port: int, bundles: Bundles, items: tuple[Item, ...]) -> Order:
    return replace(order(key, "1.0", bundles.make("one"), port), action="fetch", items=items)


def driver_of(home: Path, bundles: Bundles, source: Source | None = None) -> ProcessDriver:
    return ProcessDriver(home, bundles.unpack, source=source or source_beside(home))


@pytest.mark.parametrize(("point", "when"), CUTS)
async def test_a_fetch_whose_deployer_was_killed_goes_on_where_it_was(
    items: tuple[Item, ...],
    bundles: Bundles,
    home: Path,
    port: int,
    die_within: DieWithin,
    point: str,
    when: str,
) -> None:
    total, one = sum(item.bytes for item in items), fetch("o1", port, bundles, items)
    await die_within(one, point, when)
    [done] = await finish(driver_of(home, bundles), one, begin=False)
    assert isinstance(done, Done), done
    # What arrived may not have been noted yet when the deployer died: no more than one chunk.
    assert total - CHUNK <= done.fetched_bytes <= total + CHUNK
    assert all(offset == WHOLE for offset in await sink_of(place_of(home, one)[0]).offsets(items))
    again = await reach(driver_of(home, bundles), replace(one, key="o2"))
    assert isinstance(again, Done)
    assert again.fetched_bytes == 0


async def test_what_lies_there_whole_is_not_sent_by_the_next_after_a_kill(
    items: tuple[Item, ...], bundles: Bundles, home: Path, port: int, die_within: DieWithin
) -> None:
    one = fetch("o1", port, bundles, items)
    await die_within(one, "chunk", "after 4")
    sink = sink_of(place_of(home, one)[0])
    offsets = await sink.offsets(items)
    there = sum(item.bytes if offset < 0 else offset for item, offset in zip(items, offsets, strict=True))
    done = await reach(driver_of(home, bundles), replace(one, key="o2"))
    assert isinstance(done, Done)
    assert done.fetched_bytes == sum(item.bytes for item in items) - there


async def test_a_fetch_is_cancelled_in_the_middle_and_what_arrived_stays(
    items: tuple[Item, ...], bundles: Bundles, home: Path, port: int
) -> None:
    slow = Source(source_beside(home).blobs, Pace(site_bytes=256 * 1024))
    driver, one = driver_of(home, bundles, slow), fetch("o1", port, bundles, items)
    await driver.start([one])
    sink = sink_of(place_of(home, one)[0])
    while not any(offset > 0 for offset in await sink.offsets(items)):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await driver_of(home, bundles).cancel([one])
    [broken] = await finish(driver, one, begin=False)
    assert isinstance(broken, Broken)
    assert broken.code == "cancelled"
    done = await reach(driver_of(home, bundles), replace(one, key="o2"))
    assert isinstance(done, Done)
    assert 0 < done.fetched_bytes < sum(item.bytes for item in items)


async def test_a_full_disk_ends_it_with_a_code_of_its_own(
    items: tuple[Item, ...], bundles: Bundles, home: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(FolderSink, "_append", full)
        broken = await reach(driver_of(home, bundles), fetch("o1", port, bundles, items))
    assert isinstance(broken, Broken)
    assert broken.code == "disk_full"
    done = await reach(driver_of(home, bundles), fetch("o2", port, bundles, items))
    assert isinstance(done, Done)


async def test_content_that_is_gone_from_the_store_is_named(
    items: tuple[Item, ...], bundles: Bundles, home: Path, port: int
) -> None:
    await source_beside(home).blobs.delete(items[0].sha256)
    broken = await reach(driver_of(home, bundles), fetch("o1", port, bundles, items))
    assert isinstance(broken, Broken)
    assert broken.code == "content_missing"
    assert items[0].sha256 in broken.message
