"""A deployer killed in the midst of any request to the engine: another ends its order, and does nothing twice."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import pytest

from services.deployer.drivers import Done, Order
from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.container_lab import Lab
from tests.support.container_sites import broken, done, ends, ids, order, removal
from tests.support.container_victim import carry_out, told
from tests.support.counting_proxy import counting
from tests.support.process_sites import free_port

pytestmark = [pytest.mark.service, pytest.mark.containers]

VICTIMS = multiprocessing.get_context("forkserver")  # imports what they need once
VICTIMS.set_forkserver_preload(["tests.support.container_victim"])
SIDE_BY_SIDE = 3
MOST = 80
"""Requests of one order, by far."""
IN_BOTH = {"command": ("sh", "-c", "test -e /tmp/well && test -e /sys/class/net/eth1")}
"""Well in two networks alone."""


@dataclass
class Stage:
    """Where orders are carried out by deployers that are killed."""

    lab: Lab
    driver: DurableDriver
    dsn: str
    home: Path

    async def killed_at(self, number: int, it: Order) -> list[str]:
        """Carry an order out by a deployer that is killed in the midst of its request of this number; its requests."""
        path = self.lab.root / f"{it.key}.sock"
        through = replace(it, connection={**it.connection, "url": f"unix://{path}"})
        victim = VICTIMS.Process(target=carry_out, args=(self.dsn, told(through), str(self.home)))
        async with counting(path, self.lab.socket, number, victim.kill) as proxy:
            victim.start()
            await asyncio.to_thread(victim.join)
        return proxy.requests

    def made(self, key: str) -> int:
        """How many containers an order made, ever."""
        told = self.lab.podman("events", "--stream=false", "--filter=event=create", f"--filter=label=belay.order={key}")
        return len(told.splitlines())


@pytest.fixture(scope="module", autouse=True)
def _no_victim_left() -> Iterator[None]:
    yield
    for helper in (forkserver._forkserver, resource_tracker._resource_tracker):
        vars(type(helper))["_stop"](helper)


@pytest.fixture
def stage(containers: DurableDriver, container_lab: Lab, deployer_database: str, tmp_path: Path) -> Stage:
    return Stage(container_lab, containers, deployer_database, tmp_path)


async def at_every_request(one: Any) -> None:
    """Until an order ends before it can be killed; some at a time."""
    over = asyncio.Event()
    numbers = iter(range(1, MOST))

    async def work() -> None:
        for number in numbers:
            if over.is_set() or await one(number) < number:
                over.set()
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(SIDE_BY_SIDE):
            group.create_task(work())
    assert over.is_set()


async def test_an_update_that_stops_the_old_container_first(stage: Stage) -> None:
    async def one(number: int) -> int:
        site, port = f"p{number}", free_port()
        spec: dict[str, Any] = {
            "ports": [{"container": 8080, "host": port, "address": "127.0.0.1"}],
            "volumes": [{"name": "data", "target": "/data"}],
        }
        await done(stage.driver, order(stage.lab, f"{site}-1", site=site, **spec))
        update = order(stage.lab, f"{site}-2", "2.0", site=site, **spec)
        requests = await stage.killed_at(number, update)
        (found,) = await ends(stage.driver, update)
        assert isinstance(found, Done), (number, requests[-1:], found)
        assert list(ids(stage.lab, site).values()) == ["running"], (number, requests[-1:])
        assert stage.made(update.key) == 1, (number, requests[-1:])
        (current,) = ids(stage.lab, site)
        assert stage.lab.podman("exec", current, "cat", "/data/starts").split() == ["1.0", "2.0"], (
            number,
            requests[-1:],
        )
        return len(requests)

    await at_every_request(one)


async def test_an_update_beside_the_old_container(stage: Stage) -> None:
    async def one(number: int) -> int:
        site = f"n{number}"
        spec: dict[str, Any] = {"networks": [{"name": "front"}, {"name": "back"}], "health": IN_BOTH}
        await done(stage.driver, order(stage.lab, f"{site}-1", site=site, **spec))
        update = order(stage.lab, f"{site}-2", "2.0", site=site, **spec)
        requests = await stage.killed_at(number, update)
        (found,) = await ends(stage.driver, update)
        assert isinstance(found, Done), (number, requests[-1:], found)
        (current,) = ids(stage.lab, site)
        networks = stage.lab.inspect(current)["NetworkSettings"]["Networks"]
        assert all("web" in joined["Aliases"] for joined in networks.values()), (number, requests[-1:])
        assert len(networks) == 2, (number, requests[-1:])
        assert stage.made(update.key) == 1, (number, requests[-1:])
        return len(requests)

    await at_every_request(one)


async def test_an_update_that_fails_and_puts_the_old_container_back(stage: Stage) -> None:
    async def one(number: int) -> int:
        site, port = f"f{number}", free_port()
        spec: dict[str, Any] = {"ports": [{"container": 8080, "host": port, "address": "127.0.0.1"}]}
        await done(stage.driver, order(stage.lab, f"{site}-1", site=site, **spec))
        before = ids(stage.lab, site)
        update = order(stage.lab, f"{site}-2", "2.0", site=site, environment={"EXIT": "1"}, **spec)
        requests = await stage.killed_at(number, update)
        found = await broken(stage.driver, update)
        assert found.code == "exited", (number, requests[-1:], found)
        assert ids(stage.lab, site) == before, (number, requests[-1:])
        return len(requests)

    await at_every_request(one)


async def test_a_removal(stage: Stage) -> None:
    async def one(number: int) -> int:
        site = f"r{number}"
        first = order(stage.lab, f"{site}-1", site=site, networks=[{"name": "front"}])
        await done(stage.driver, first)
        gone = removal(first, f"{site}-2")
        requests = await stage.killed_at(number, gone)
        (found,) = await ends(stage.driver, gone)
        assert isinstance(found, Done), (number, requests[-1:], found)
        assert ids(stage.lab, site) == {}
        return len(requests)

    await at_every_request(one)
    assert len(stage.lab.podman("network", "ls", "--quiet").split()) == 1  # podman's own
