"""A deployer may be killed at any point of an order: another one takes it up, and the end is the same."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from services.deployer.drivers import Broken, Done, Order, Running
from services.deployer.drivers.process.driver import ProcessDriver
from tests.service.deployer.conftest import DieWithin
from tests.support import process_sites as sites
from tests.support.patience import patience
from tests.support.process_sites import Bundles, ask, finish, order, reach

pytestmark = pytest.mark.long

# After one function is before the next, so each gap is tried once.
UPDATE_CUTS = [
    ("record", "before"), ("record", "after"), ("unpack", "after"), ("environment", "after"), ("install", "after"),
    ("kill keeper", "after"), ("stop", "after"), ("switch", "after"), ("write launch", "after"),
    ("start keeper", "after"), ("prove", "after"), ("finish", "before"), ("finish", "after"),
]  # fmt: skip
REMOVE_CUTS = [("stop", "before"), ("stop", "after"), ("take away", "after"), ("finish", "after")]


@pytest.fixture
async def first(driver: ProcessDriver, bundles: Bundles, home: Path, port: int) -> Order:
    """A site that is well on release 1.0, with data of its own."""
    one = order("o1", "1.0", bundles.make("one"), port)
    assert isinstance(await reach(driver, one), Done)
    (sites.folder(home).data / "own").write_text("precious")
    return one


def update_of(first: Order, bundles: Bundles) -> Order:
    made = sites.component("says=2.0")
    return replace(first, key="o2", version="2.0", component=made, bundle_sha256=bundles.make("two"))


@pytest.mark.parametrize(("point", "when"), UPDATE_CUTS)
async def test_an_update_whose_deployer_was_killed_is_finished_by_the_next(
    first: Order, bundles: Bundles, home: Path, port: int, die_within: DieWithin, point: str, when: str
) -> None:
    update = update_of(first, bundles)
    await die_within(update, point, when)
    next_driver = ProcessDriver(home, bundles.unpack)
    [done] = await finish(next_driver, update, begin=False)
    assert isinstance(done, Done)
    assert await ask(port) == {"app": {"version": "2.0"}}
    assert len(sites.components(home)) == 1
    assert len(sites.keepers(home)) == 1
    assert (sites.folder(home).data / "own").read_text() == "precious"
    assert sites.starts(home).count("2.0") <= 2
    assert sites.folder(home).root.joinpath("current").readlink().name == done.revision


@pytest.mark.parametrize(("point", "when"), REMOVE_CUTS)
async def test_a_removal_whose_deployer_was_killed_is_finished_by_the_next(
    first: Order, bundles: Bundles, home: Path, die_within: DieWithin, point: str, when: str
) -> None:
    removal = sites.remove("o2", first)
    await die_within(removal, point, when)
    [done] = await finish(ProcessDriver(home, bundles.unpack), removal, begin=False)
    assert isinstance(done, Done)
    assert sites.processes(home) == []
    assert (sites.folder(home).root / "data.removed-1/own").read_text() == "precious"


async def test_an_order_whose_deployer_died_before_it_was_noted_was_never_started(
    first: Order, bundles: Bundles, home: Path, port: int, die_within: DieWithin
) -> None:
    update = update_of(first, bundles)
    await die_within(update, "begin", "before")
    [broken] = await ProcessDriver(home, bundles.unpack).poll([update])
    assert isinstance(broken, Broken)
    assert broken.code == "not_started"
    assert await ask(port) == {"app": {"version": "1.0"}}


async def test_a_second_start_of_an_order_changes_nothing(first: Order, driver: ProcessDriver, home: Path) -> None:
    assert isinstance(await reach(driver, first), Done)
    assert sites.starts(home) == ["1.0"]


async def test_two_deployers_that_start_one_order_at_once_carry_it_out_once(
    first: Order, bundles: Bundles, home: Path
) -> None:
    update = update_of(first, bundles)
    drivers = [ProcessDriver(home, bundles.unpack) for _ in range(3)]
    results = await asyncio.gather(*(reach(driver, update) for driver in drivers))
    assert isinstance(results[0], Done)
    assert results == [results[0]] * 3
    assert sites.starts(home) == ["1.0", "2.0"]


async def test_an_order_cancelled_while_it_waits_for_health_stops_what_it_started(
    first: Order, driver: ProcessDriver, bundles: Bundles, home: Path
) -> None:
    slow = replace(update_of(first, bundles), component=sites.component("says=2.0", "slow=60", stop_seconds=1))
    await driver.start([slow])
    async with patience(20):
        while (await driver.poll([slow]))[0] != Running("waits until it is healthy", 70):
            await driver.wait(0.05)
    await driver.cancel([slow])
    [broken] = await finish(driver, slow, begin=False)
    assert isinstance(broken, Broken)
    assert broken.code == "cancelled"
    assert sites.components(home) == []


async def test_an_order_cancelled_before_it_began_never_begins_and_takes_nothing_from_a_newer_one(
    first: Order, driver: ProcessDriver, bundles: Bundles, home: Path
) -> None:
    update = update_of(first, bundles)
    await driver.cancel([update])
    broken = await reach(driver, update)
    assert isinstance(broken, Broken)
    assert broken.code == "cancelled"
    assert isinstance(await reach(driver, first), Done)
    assert sites.starts(home) == ["1.0"]


async def test_a_newer_order_makes_an_unfinished_older_one_give_way(
    first: Order, driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    done = await reach(driver, first)
    assert isinstance(done, Done)
    stuck = replace(update_of(first, bundles), component=sites.component("says=2.0", "slow=60", stop_seconds=1))
    await driver.start([stuck])
    recover = sites.rollback("o3", first, done.revision)
    results = await finish(ProcessDriver(home, bundles.unpack), recover, stuck)
    assert isinstance(results[0], Done)
    assert isinstance(results[1], Broken)
    assert results[1].code == "superseded"
    assert await ask(port) == {"app": {"version": "1.0"}}
    assert len(sites.components(home)) == 1
