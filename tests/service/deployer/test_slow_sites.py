"""Sites that are slow to say what they have: who plans for them holds up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from services.deployer.drivers import Driver, Order, Progress
from services.deployer.drivers.simulated.driver import SimulatedDriver
from services.deployer.plan import UNSAID
from shared.messages.deployer import OperationFailed, OperationSucceeded
from tests.service.deployer.fleet import ready
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service


class SlowToAnswer(Driver):
    """Devices of which oslo says what it has when it is `answering`, and once it was `asked`."""

    asks_sites = True

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answering = asyncio.Event()

    def before(self, driver: SimulatedDriver) -> Driver:
        self._driver = driver
        return self

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool | None]:
        if any(order.site == "oslo" for order in orders):
            self.asked.set()
            await self.answering.wait()
        return await self._driver.has_revision(orders)

    async def start(self, orders: Sequence[Order]) -> None:
        await self._driver.start(orders)

    async def poll(self, orders: Sequence[Order]) -> Sequence[Progress]:
        return await self._driver.poll(orders)

    async def cancel(self, orders: Sequence[Order]) -> None:
        await self._driver.cancel(orders)

    async def wait(self, seconds: float) -> None:
        await self._driver.wait(seconds)


Ready = Callable[..., Any]


async def test_a_site_that_does_not_answer_holds_up_no_other(world: World) -> None:
    devices = SlowToAnswer()
    async with ready(world, ["oslo", "bergen"], ["1.0", "2.0"], drive=devices.before) as fleet:
        for site in ("oslo", "bergen"):
            await fleet.do(site, "apply", "1.0")
        waiting = await fleet.request("oslo", "update", "2.0")
        await asyncio.wait_for(devices.asked.wait(), 30)
        assert isinstance(await fleet.do("bergen", "update", "2.0"), OperationSucceeded)
        assert fleet.running("oslo") == {"web": "1.0"}
        devices.answering.set()
        assert isinstance(await fleet.end(waiting), OperationSucceeded)
        assert fleet.running("oslo") == {"web": "2.0"}
        fleet.assert_each_order_once()


async def test_a_way_back_that_waits_for_its_site_holds_up_no_other(world: World) -> None:
    devices = SlowToAnswer()
    devices.answering.set()
    async with ready(world, ["oslo", "bergen"], ["1.0"], drive=devices.before) as fleet:
        await fleet.release("2.0", simulated("web", seconds=(0.5, 0.5), sites={"oslo": "fail"}))
        await fleet.known(fleet.service)
        for site in ("oslo", "bergen"):
            await fleet.do(site, "apply", "1.0")
        failing = await fleet.request("oslo", "update", "2.0")
        await fleet.begun(failing)
        devices.answering.clear()
        devices.asked.clear()
        await asyncio.wait_for(devices.asked.wait(), 30)
        assert isinstance(await fleet.do("bergen", "update", "2.0"), OperationSucceeded)
        devices.answering.set()
        ended = await fleet.end(failing)
        assert isinstance(ended, OperationFailed)
        assert ended.recovered
        assert fleet.running("oslo") == {"web": "1.0"}


async def test_an_operation_that_waits_for_its_plan_is_planned_anew_by_who_takes_it_over(world: World) -> None:
    devices = SlowToAnswer()
    async with ready(world, ["oslo"], ["1.0", "2.0"], drive=devices.before) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        waiting = await fleet.request("oslo", "update", "2.0")
        await asyncio.wait_for(devices.asked.wait(), 30)
        await fleet.service.pool.execute("delete from runner")  # its lease is taken for lost
        devices.answering.set()
        assert isinstance(await fleet.end(waiting), OperationSucceeded)
        fleet.assert_each_order_once()


class Silent(SlowToAnswer):
    """Devices that do not say what they have, the first `times` that they are asked."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool | None]:
        self.times -= 1
        return [None] * len(orders) if self.times >= 0 else await self._driver.has_revision(orders)


@pytest.mark.parametrize(("times", "said"), [(1, ""), (100, f", {UNSAID}")])
async def test_a_site_that_does_not_say_what_it_has_is_asked_again_and_then_rolled_back_all_the_same(
    world: World, times: int, said: str
) -> None:
    devices = Silent(0)
    async with ready(world, ["oslo"], ["1.0", "2.0"], drive=devices.before) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        await fleet.do("oslo", "update", "2.0")
        devices.times = times
        ended = await fleet.do("oslo", "rollback", "1.0")
        assert isinstance(ended, OperationSucceeded)
        (way,) = ended.plan
        assert (way.action, way.reason) == (
            "rollback",
            f"release 1.0 was here before, as revision {way.revision}{said}",
        )
