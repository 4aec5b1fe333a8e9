"""Images brought before anything is touched: by digest, once an engine, again when a registry stays away, with room."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest

from services.deployer.drivers import Done, Order
from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.container_lab import Lab
from tests.support.container_sites import broken, done, driver_of, ids, order, reach
from tests.support.patience import patience
from tests.support.prepared_images import layered

pytestmark = [pytest.mark.service, pytest.mark.containers]


def fetch(of: Order, key: str) -> Order:
    """Have what an order needs, before it is begun."""
    return replace(of, key=key, action="fetch")


def pulls(lab: Lab) -> int:
    """How often the engine began to pull, by its own account."""
    return lab.podman("events", "--stream=false", "--filter", "event=pull").count(" image pull ")


async def test_what_was_fetched_is_deployed_without_its_registry(containers: DurableDriver, container_lab: Lab) -> None:
    wanted = order(container_lab, "o1")
    container_lab.podman("rmi", "--all", "--force")
    await done(containers, fetch(wanted, "f1"))
    assert ids(container_lab) == {}
    container_lab.stop_registry()
    try:
        await done(containers, wanted)
    finally:
        container_lab.start_registry()
    assert len(ids(container_lab)) == 1


async def test_sites_of_one_engine_pull_an_image_once_also_by_several_deployers(
    containers: DurableDriver, container_lab: Lab, deployer_database: str, tmp_path: Path
) -> None:
    orders = [fetch(order(container_lab, "", site=f"s{n}"), f"f{n}") for n in range(6)]
    container_lab.podman("rmi", "--all", "--force")
    before = pulls(container_lab)
    other = driver_of(deployer_database, tmp_path / "other")
    try:
        ends = await asyncio.gather(reach(containers, *orders[:3]), reach(other, *orders[3:]))
    finally:
        await other.close()
    assert all(isinstance(end, Done) for some in ends for end in some), ends
    assert pulls(container_lab) - before == 1


async def test_a_registry_that_comes_back_is_asked_again(containers: DurableDriver, container_lab: Lab) -> None:
    wanted = fetch(order(container_lab, "", "8.0"), "f1")
    container_lab.podman("rmi", "--all", "--force")
    container_lab.stop_registry()
    try:
        await containers.start([wanted])
        async with patience(60):
            while "try 1 of 5 failed" not in getattr((await containers.poll([wanted]))[0], "detail", ""):
                await containers.wait(0.1)
    finally:
        container_lab.start_registry()
    await done(containers, wanted)


async def test_an_image_that_is_not_there_is_not_asked_for_again(containers: DurableDriver, container_lab: Lab) -> None:
    nothing = f"{container_lab.registry}/app@sha256:{'0' * 64}"
    async with asyncio.timeout(60):
        assert (await broken(containers, fetch(order(container_lab, "", image=nothing), "f1"))).code == "no_such_image"


async def test_an_engine_without_room_begins_nothing_and_says_what_it_lacks_as_the_registry_has_it(
    container_lab: Lab, deployer_database: str, tmp_path: Path
) -> None:
    base = layered(container_lab, "base:1", 2 << 20)
    wanted = order(container_lab, "", image=layered(container_lab, "more:1", 1 << 20, base=base))
    container_lab.podman("rmi", "--all", "--force")
    driver = driver_of(deployer_database, tmp_path, free_mib=1 << 40)
    able = driver_of(deployer_database, tmp_path / "able")
    try:
        first = await broken(driver, fetch(wanted, "f1"))
        assert first.code == "disk_full"
        await done(able, fetch(order(container_lab, "", image=base), "f2"))
        second = await broken(driver, fetch(wanted, "f3"))
        container_lab.stop_registry()
        try:
            third = await broken(driver, fetch(wanted, "f4"))
        finally:
            container_lab.start_registry()
    finally:
        await driver.close()
        await able.close()
    says = (
        r"MiB are left on the engine's disk; the layers that it lacks have ([0-9.]+) MiB compressed, for which 3 times"
    )
    sizes = [float(found[1]) if (found := re.search(says, each.message)) else -1 for each in (first, second)]
    assert (sizes[0] > 3, sizes[1]) == (True, 1.0), (first.message, second.message)
    assert re.search(r"MiB are left on the engine's disk, less than the [0-9]+ that must be free", third.message)
