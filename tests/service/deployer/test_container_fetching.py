"""Images brought before anything is touched: by digest, once an engine, again when a registry stays away, with room."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from services.deployer.drivers import Done, Order
from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.container_lab import Lab
from tests.support.container_sites import broken, done, driver_of, ids, order, push, reach
from tests.support.patience import patience

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


async def test_sites_of_one_engine_pull_an_image_once(containers: DurableDriver, container_lab: Lab) -> None:
    orders = [fetch(order(container_lab, "", site=f"s{n}"), f"f{n}") for n in range(6)]
    container_lab.podman("rmi", "--all", "--force")
    before = pulls(container_lab)
    assert all(isinstance(end, Done) for end in await reach(containers, *orders))
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


async def test_an_engine_without_room_begins_nothing(
    container_lab: Lab, deployer_database: str, tmp_path: Path
) -> None:
    push(container_lab)
    container_lab.podman("rmi", "--all", "--force")
    driver = driver_of(deployer_database, tmp_path, free_mib=1 << 40)
    try:
        failed = await broken(driver, fetch(order(container_lab, ""), "f1"))
    finally:
        await driver.close()
    assert failed.code == "disk_full"
    assert "MiB are left" in failed.message
