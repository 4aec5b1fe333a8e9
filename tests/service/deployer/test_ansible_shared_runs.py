"""Sites that share a run: what happens to the order of one is no reason for anything to happen to the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from services.deployer.drivers import Broken, Done, Order, Running
from services.deployer.drivers.ansible.driver import AnsibleDriver
from services.deployer.drivers.ansible.runner.ending import processes_of
from tests.support.ansible_sites import FILES, Lab, ends, order, reach, remove
from tests.support.patience import until_so

pytestmark = [pytest.mark.service, pytest.mark.ansible]

WAITS = """
- hosts: all
  gather_facts: false
  tasks:
    - shell: echo {{ belay_action }} >> log; touch waits; until [ -e go ]; do sleep 0.1; done
      args: {chdir: "{{ root }}"}
    - shell: echo then >> "{{ root }}/log"
"""


@pytest.fixture
async def lab(deployer_database: str, tmp_path: Path) -> AsyncIterator[Lab]:
    made = Lab(tmp_path, deployer_database, {"at_once": 4, "grace_seconds": 30})
    yield made
    await made.close()


@pytest.fixture
async def shared(lab: Lab) -> list[Order]:
    """Two orders in one run, in the middle of its first task; their deployer has gone."""
    books = {"apply": "apply.yml", "remove": "remove.yml"}
    made = await lab.bundle({**FILES, "apply.yml": WAITS}, playbooks=books, together=True)
    orders = [order(f"o{n}", made, lab.local(f"s{n}"), site=f"s{n}") for n in range(2)]
    driver = lab.driver()
    await driver.start(orders)
    await until_so(lambda: all_wait(lab, driver, orders), 120)
    await driver.close()
    return orders


async def all_wait(lab: Lab, driver: AnsibleDriver, orders: list[Order]) -> bool:
    await driver.poll(orders)
    return all((lab.folder / "sites" / each.site / "waits").exists() for each in orders)


def go_on(lab: Lab) -> None:
    for site in ("s0", "s1"):
        (lab.folder / "sites" / site / "go").touch()


def run_folder(lab: Lab) -> Path:
    [job] = (lab.home / "ansible" / "runs").glob("*/job.json")
    return job.parent


async def until_it_waits(driver: AnsibleDriver, back: Order, innocent: Order) -> None:
    async def waits() -> bool:
        found = await driver.poll([back, innocent])
        return "waits until the run of an order before" in str(found[0])

    await until_so(waits, 60)


async def until_stopped(lab: Lab, driver: AnsibleDriver, orders: list[Order]) -> None:
    async def stopped() -> bool:
        await driver.poll(orders)
        return (run_folder(lab) / "stop").exists()

    await until_so(stopped, 60)


async def test_the_way_back_of_one_site_waits_for_the_run_that_carries_others(lab: Lab, shared: list[Order]) -> None:
    given_up, innocent = shared
    driver, back = lab.driver(), remove("r0", given_up)
    await driver.start([back])
    await until_it_waits(driver, back, innocent)
    assert not (run_folder(lab) / "stop").exists()
    go_on(lab)
    found = await ends(driver, back, innocent, seconds=120)
    assert [type(each) for each in found] == [Done, Done], found
    assert lab.log("s1") == ["apply", "then"]
    assert [line.split()[0] for line in lab.log("s0")] == ["apply", "then", "remove"]


async def test_a_way_back_that_waits_holds_up_no_other_site_and_ends_when_it_is_cancelled(
    lab: Lab, shared: list[Order]
) -> None:
    given_up, innocent = shared
    back = remove("r0", given_up)
    other = replace(back, key="r2", site="s2", connection=lab.local("s2"))
    driver = lab.driver()
    await driver.start([back, other])
    await until_it_waits(driver, back, innocent)
    assert isinstance((await ends(driver, other, seconds=120))[0], Done)
    await driver.cancel([back])
    [cancelled] = await ends(driver, back)
    assert isinstance(cancelled, Broken)
    assert cancelled.code == "cancelled"
    assert isinstance((await driver.poll([innocent]))[0], Running)
    go_on(lab)
    assert isinstance((await ends(driver, innocent, seconds=120))[0], Done)
    assert (lab.log("s1"), lab.log("s0")) == (["apply", "then"], ["apply", "then"])


async def test_a_way_back_waits_no_longer_for_a_shared_run_than_it_is_told_to(lab: Lab, shared: list[Order]) -> None:
    given_up, innocent = shared
    driver, back = lab.driver(shared_seconds=0.5), remove("r0", given_up)
    await driver.start([back])
    await until_stopped(lab, driver, [back, innocent])
    go_on(lab)
    found = await ends(driver, back, innocent, seconds=120)
    assert [type(each) for each in found] == [Done, Done], found
    assert lab.log("s1") == ["apply", "apply", "then"]
    assert [line.split()[0] for line in lab.log("s0")] == ["apply", "remove"]


async def test_an_order_that_is_cancelled_alone_ends_though_the_others_of_its_run_go_on(
    lab: Lab, shared: list[Order]
) -> None:
    cancelled, innocent = shared
    driver = lab.driver(shared_seconds=0.5)
    await driver.start(shared)
    await driver.cancel([cancelled])
    await until_stopped(lab, driver, shared)
    go_on(lab)
    found = await ends(driver, cancelled, innocent, seconds=120)
    assert [type(each) for each in found] == [Broken, Done], found
    assert (lab.log("s0"), lab.log("s1")) == (["apply"], ["apply", "apply", "then"])


async def test_a_run_that_was_stopped_for_somebody_else_is_begun_anew_for_who_was_not_cancelled(
    lab: Lab, shared: list[Order]
) -> None:
    (run_folder(lab) / "stop").touch()
    driver = lab.driver()
    await driver.start(shared)
    go_on(lab)
    found = await ends(driver, *shared, seconds=120)
    assert [type(each) for each in found] == [Done, Done], found
    assert [lab.log(each.site) for each in shared] == [["apply", "apply", "then"]] * 2


async def test_what_outlives_the_runner_of_a_shared_run_is_ended_before_a_way_back_begins(
    lab: Lab, shared: list[Order]
) -> None:
    given_up, innocent = shared
    folder = run_folder(lab)
    run = folder.name
    kill_runner(run)
    assert processes_of(run)
    driver = lab.driver()
    [back] = await reach(driver, remove("r0", given_up), seconds=120)
    assert isinstance(back, Done), back
    assert not processes_of(run)
    assert folder.is_dir()  # for whoever takes up the order of the other site
    go_on(lab)
    assert isinstance((await ends(driver, innocent, seconds=120))[0], Done)
    assert lab.log("s1") == ["apply", "apply", "then"]
    assert [line.split()[0] for line in lab.log("s0")] == ["apply", "remove"]


def kill_runner(run: str) -> None:
    """As when memory is short; what it began goes on."""
    [runner] = filter(is_runner, processes_of(run))
    runner.kill()
    runner.wait()


def is_runner(process: psutil.Process) -> bool:
    with suppress(psutil.Error):  # of those beside it, one is gone each moment
        return "services.deployer.drivers.ansible.runner" in process.cmdline()
    return False
