"""The simulated devices: their fates, their journal, and several processes at one journal."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from services.deployer.drivers import Broken, Component, Done, Order, Running
from services.deployer.drivers.simulated.driver import SimulatedDriver
from tests.support.components import for_driver, simulated


def order(key: str = "op-1/forward/web", site: str = "oslo", version: str | None = "1.0", **facts: Any) -> Order:
    component = for_driver(simulated(**facts.pop("component", {})))
    action = "apply" if version else "remove"
    facts = {"connection": {}, "app": "shop", "action": action, "bundle_sha256": "a" * 64, **facts}
    return Order(key=key, site=site, version=version, component=component, **facts)


@pytest.fixture
def driver(tmp_path: Path) -> SimulatedDriver:
    return SimulatedDriver(tmp_path / "devices")


async def outcome(driver: SimulatedDriver, wanted: Order) -> str:
    await driver.start([wanted])
    [progress] = await driver.poll([wanted])
    return progress.code if isinstance(progress, Broken) else type(progress).__name__.lower()


async def test_the_rule_of_a_site_comes_before_its_params_and_these_before_chance(driver: SimulatedDriver) -> None:
    rule = {"sites": {"oslo": "succeed"}, "fail": 1}
    assert await outcome(driver, order("a", component=rule, connection={"simulated": "crash"})) == "done"
    assert await outcome(driver, order("b", "rome", component=rule, connection={"simulated": "crash"})) == "crashed"
    assert await outcome(driver, order("c", "rome", component=rule)) == "failed"
    assert await outcome(driver, order("d", "rome", connection={"simulated": "hang"})) == "running"
    assert await outcome(driver, order("e", "rome", connection={"simulated": "explode"})) == "bad_connection"


async def test_the_same_seed_site_and_order_meet_the_same_fate(tmp_path: Path) -> None:
    chance = {"fail": 0.3, "crash": 0.3, "seed": 7}
    fates = []
    for home in ("one", "two"):
        driver = SimulatedDriver(tmp_path / home)
        fates.append([await outcome(driver, order(f"op-{n}", component=chance)) for n in range(50)])
    assert fates[0] == fates[1]
    assert set(fates[0]) == {"done", "failed", "crashed"}


async def test_removing_follows_neither_chance_nor_rule_so_that_failed_releases_can_be_cleared(
    driver: SimulatedDriver,
) -> None:
    assert await outcome(driver, order("a", component={"sites": {"oslo": "fail"}})) == "failed"
    assert await outcome(driver, order("b", version=None, component={"sites": {"oslo": "fail"}, "fail": 1})) == "done"


async def test_an_effect_takes_its_time_and_waiting_ends_with_it(driver: SimulatedDriver) -> None:
    slow = order(component={"seconds": (0.2, 0.2)})
    begun = time.monotonic()
    await driver.start([slow])
    assert isinstance((await driver.poll([slow]))[0], Running)
    await driver.wait(5)
    assert 0.1 < time.monotonic() - begun < 2
    assert await driver.poll([slow]) == [Done("1.0")]


async def test_a_wait_under_way_hears_of_an_order_that_ends_sooner(driver: SimulatedDriver) -> None:
    waiting = asyncio.create_task(driver.wait(30))
    await asyncio.sleep(0)
    await driver.start([order()])
    async with asyncio.timeout(2):
        await waiting


async def test_what_does_not_end_well_leaves_nothing_running(driver: SimulatedDriver) -> None:
    await driver.start([order("a")])
    assert driver.journal.running("oslo") == {"web": "1.0"}
    await driver.start([order("b", version="2.0", connection={"simulated": "crash"})])
    assert driver.journal.running("oslo") == {}


async def test_the_journal_tells_each_effect_once(driver: SimulatedDriver) -> None:
    for _ in range(3):
        await driver.start([order(), order()])
        await driver.poll([order()])
    told = [(line["site"], line["order"], line["effect"], line["component"]) for line in driver.journal.lines()]
    assert told == [("oslo", "op-1/forward/web", effect, "web") for effect in ("started", "ended")]


async def test_the_journal_says_which_values_came_and_never_what_they_are(driver: SimulatedDriver) -> None:
    for key, values in (("a", {"n": 1, "m": "hush"}), ("b", {"m": "hush", "n": 1}), ("c", {"n": 2}), ("d", {})):
        await driver.start([order(key, component={"values": values})])
    await driver.start([order("e", version=None, component={"values": {"n": 1}})])
    begun = {line["order"]: line.get("values_sha256") for line in driver.journal.lines() if line["effect"] == "started"}
    assert begun["a"] == begun["b"] != begun["c"]
    assert (begun["d"], begun["e"]) == (None, None)
    assert "hush" not in driver.journal.path.read_text()


async def test_of_two_processes_only_one_begins_and_only_one_ends_an_order(tmp_path: Path) -> None:
    one, two = SimulatedDriver(tmp_path), SimulatedDriver(tmp_path)
    slow = order(component={"seconds": (0.05, 0.05)})
    await one.start([slow])
    await two.start([slow])
    await asyncio.sleep(0.06)
    assert await two.poll([slow]) == await one.poll([slow]) == [Done("1.0")]
    assert [line["effect"] for line in one.journal.lines()] == ["started", "ended"]


async def test_a_torn_last_line_never_was(tmp_path: Path) -> None:
    first = SimulatedDriver(tmp_path)
    await first.start([order("a")])
    with first.journal.path.open("ab") as file:
        file.write(b'{"at": "2026-01-01", "site": "os')  # its writer was killed
    second = SimulatedDriver(tmp_path)
    await second.start([order("b", "rome")])
    assert await first.poll([order("a"), order("b", "rome")]) == [Done("1.0"), Done("1.0")]
    assert len(second.journal.lines()) == 4


async def test_a_foreign_component_is_refused(driver: SimulatedDriver) -> None:
    foreign = Component("web", "process", None)
    with pytest.raises(TypeError, match="web"):
        await driver.start([Order("a", "oslo", {}, "shop", "apply", foreign, "1.0", None)])


# -- made anew ----------------------------------------------------------------------------------------------------

FEW = 4_000


async def grown(driver: SimulatedDriver, rounds: int = 60) -> None:
    """Two sites brought through so many operations, one after the other."""
    for number in range(rounds):
        orders = [order(f"op-{number}-{site}/forward/web", site, f"{number}.0") for site in ("oslo", "rome")]
        await driver.start(orders)
        assert [type(progress) for progress in await driver.poll(orders)] == [Done, Done]


async def test_a_journal_that_has_grown_is_made_anew_and_says_the_same_of_its_devices(tmp_path: Path) -> None:
    long, short = SimulatedDriver(tmp_path / "long"), SimulatedDriver(tmp_path / "short", FEW)
    for driver in (long, short):
        await grown(driver)
        await driver.start([order("op-x/forward/web", "oslo", None)])
    assert short.journal.path.stat().st_size < 3 * FEW < long.journal.path.stat().st_size
    again = SimulatedDriver(tmp_path / "short", FEW)
    for driver in (short, again, long):
        assert driver.journal.running("oslo") == {}
        assert driver.journal.running("rome") == {"web": "59.0"}
        assert await driver.has_revision([order("q", "rome", revision="3.0"), order("q", "oslo", revision="3.0")]) == [
            True,
            False,
        ]


async def test_whoever_has_the_old_journal_open_goes_on_with_the_new_one(tmp_path: Path) -> None:
    one, two = SimulatedDriver(tmp_path, FEW), SimulatedDriver(tmp_path, FEW)
    await two.start([order("first/forward/web", "bern")])
    await grown(one)
    assert await two.poll([order("op-59-rome/forward/web", "rome")]) == [Done("59.0")]
    await two.start([order("last/forward/web", "rome", "60.0")])
    assert one.journal.running("rome") == {"web": "60.0"}
    assert await one.poll([order("last/forward/web", "rome")]) == [Done("60.0")]


async def test_an_order_of_a_sites_newest_operation_is_never_forgotten_and_never_begins_twice(tmp_path: Path) -> None:
    driver = SimulatedDriver(tmp_path, FEW)
    many = [order(f"big/forward/c-{number}", "bern") for number in range(30)]
    await driver.start(many)
    hanging = order("hangs/forward/web", "york", connection={"simulated": "hang"})
    await driver.start([hanging])
    await grown(driver)
    for known in (driver, SimulatedDriver(tmp_path, FEW)):
        await known.start([*many, hanging])
        assert await known.poll(many) == [Done("1.0")] * 30
        assert isinstance((await known.poll([hanging]))[0], Running)
    begun = [line["order"] for line in driver.journal.lines() if line["effect"] == "started"]
    assert begun.count("hangs/forward/web") == 1
    assert not [key for key in begun if key.startswith("big/")]


async def test_an_order_of_an_operation_before_is_still_known_to_one_who_slept(tmp_path: Path) -> None:
    driver = SimulatedDriver(tmp_path, FEW)
    await grown(driver)
    late = order("op-55-oslo/forward/web", "oslo", "55.0")
    await driver.start([late])
    assert driver.journal.running("oslo") == {"web": "59.0"}
    assert len(driver.journal.orders) <= 2 * 9


async def test_how_an_order_failed_is_still_told_after_its_journal_was_made_anew(tmp_path: Path) -> None:
    driver = SimulatedDriver(tmp_path, FEW)
    fails = order("fails/forward/web", "york", connection={"simulated": "fail"})
    assert await outcome(driver, fails) == "failed"
    await grown(driver)
    (said,) = await SimulatedDriver(tmp_path, FEW).poll([fails])
    assert said == Broken("failed", said.message, (said.message,))  # type: ignore[union-attr]
    assert "during apply of web 1.0" in said.message  # type: ignore[union-attr]
