"""Components outlive deployers and keepers, come back after a crash, and never run twice."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from services.deployer.drivers import Broken, Done, Order
from services.deployer.drivers.process.care import start_all, status, stop_all, tend
from services.deployer.drivers.process.driver import ProcessDriver
from tests.support import process_sites as sites
from tests.support.process_sites import Bundles, ask, order, reach, until


@pytest.fixture
async def running(driver: ProcessDriver, bundles: Bundles, port: int) -> Order:
    """A site that is well on release 1.0."""
    one = order("o1", "1.0", bundles.make("one"), port)
    assert isinstance(await reach(driver, one), Done)
    return one


def kill(process: psutil.Process) -> None:
    process.kill()
    psutil.wait_procs([process], timeout=5)


def pid(home: Path) -> int:
    life = sites.folder(home).life()
    assert life is not None
    assert life.mark is not None
    return life.mark.pid


async def test_a_component_that_crashes_after_it_was_healthy_is_restarted(
    running: Order, home: Path, port: int, driver: ProcessDriver
) -> None:
    first = pid(home)
    await sites.kill_by_request(port)
    await until(lambda: sites.starts(home) == ["1.0", "1.0"])
    assert pid(home) != first
    assert len(sites.components(home)) == 1
    assert await driver.poll([running]) == [await reach(driver, running)]


async def test_a_component_that_keeps_crashing_is_given_up_and_its_order_is_fallen(
    running: Order, home: Path, driver: ProcessDriver
) -> None:
    folder = sites.folder(home)
    launch = folder.launch()
    assert launch is not None
    folder.write_launch(replace(launch, restart_limit=2, restart_seconds=0.01))
    for count in (1, 2, 3):
        await until(lambda count=count: len(sites.starts(home)) == count and len(sites.components(home)) == 1)
        kill(sites.components(home)[0])
    await until(lambda: bool((life := folder.life()) and life.gave_up))
    [broken] = await driver.poll([running])
    assert isinstance(broken, Broken)
    assert broken.code == "fallen"
    assert len(sites.starts(home)) == 3
    await until(lambda: sites.keepers(home) == [])
    await tend(home)
    assert sites.components(home) == []


async def test_a_component_lives_on_when_its_keeper_is_killed_and_gets_another_that_restarts_it(
    running: Order, home: Path, port: int
) -> None:
    first = pid(home)
    kill(sites.keepers(home)[0])
    assert await ask(port) == {"app": {"version": "1.0"}}
    await tend(home)
    assert len(sites.keepers(home)) == 1
    assert pid(home) == first
    os.kill(first, signal.SIGKILL)
    await until(lambda: len(sites.starts(home)) == 2)
    assert len(sites.components(home)) == 1


async def test_when_keeper_and_component_are_both_killed_the_next_look_starts_one(running: Order, home: Path) -> None:
    kill(sites.keepers(home)[0])
    kill(sites.components(home)[0])
    await asyncio.gather(*(tend(home) for _ in range(5)))
    await until(lambda: len(sites.starts(home)) == 2)
    assert len(sites.keepers(home)) == 1
    assert len(sites.components(home)) == 1


async def test_an_update_after_the_keeper_was_killed_stops_the_component_that_it_left(
    running: Order, home: Path, driver: ProcessDriver
) -> None:
    kill(sites.keepers(home)[0])
    update = replace(running, key="o2", version="2.0", component=sites.component("says=2.0"))
    assert isinstance(await reach(driver, update), Done)
    assert len(sites.components(home)) == 1
    assert len(sites.keepers(home)) == 1


async def test_a_pid_that_was_given_to_a_stranger_is_not_touched(running: Order, home: Path) -> None:
    folder = sites.folder(home)
    life = folder.life()
    assert life is not None
    assert life.mark is not None
    kill(sites.keepers(home)[0])
    kill(sites.components(home)[0])
    folder.write_life(replace(life, mark=replace(life.mark, pid=os.getpid())))
    assert await stop_all(home) == 1
    assert psutil.pid_exists(os.getpid())


async def test_stop_all_ends_everything_and_start_all_brings_back_what_was_healthy(
    running: Order, home: Path, port: int
) -> None:
    assert await stop_all(home) == 1
    assert sites.processes(home) == []
    await tend(home)
    assert sites.processes(home) == []
    await start_all(home)
    await until(lambda: len(sites.starts(home)) == 2)
    await start_all(home)
    assert len(sites.components(home)) == 1


async def test_status_asks_the_component_itself(running: Order, home: Path, port: int) -> None:
    [well] = await status(home)
    assert (well.site, well.component, well.port, well.version) == ("s1", "web", port, "1.0")
    assert (well.healthy, well.pid) == (True, pid(home))
    await stop_all(home)
    [down] = await status(home)
    assert (down.healthy, down.pid, down.detail) == (False, None, "does not run")


async def test_a_log_that_grows_too_long_is_cut_and_its_last_part_kept(running: Order, home: Path, port: int) -> None:
    folder = sites.folder(home)
    with folder.log.open("a") as log:
        log.write("x" * 5_000_001)
    await until(lambda: folder.log_size() == 0)
    assert folder.log.with_suffix(".log.1").stat().st_size > 5_000_000
