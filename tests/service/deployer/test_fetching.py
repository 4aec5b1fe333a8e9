"""What comes from elsewhere is had first: killed, cancelled or refused there, the old release runs on."""

from collections.abc import Sequence

import pytest

from services.deployer.drivers import Driver, Order
from services.deployer.drivers.simulated.driver import SimulatedDriver
from shared.messages.deployer import CancelOperation, OperationFailed, OperationSucceeded
from tests.service.deployer.fleet import Fleet, Gate, deployer
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service

PLACES = ["before the start", "after the start", "with the result"]
LEASE = 0.4


class Bringing(Gate):
    """Devices that bring what they deploy from elsewhere. Without `place` nothing is stopped."""

    brings = True

    def __init__(self, place: str = "", only: str = "") -> None:
        super().__init__(place, only)
        self.fetched: list[str] = []

    async def start(self, orders: Sequence[Order]) -> None:
        self.fetched += [order.key for order in orders if order.action == "fetch"]
        await super().start(orders)


def bringing(driver: SimulatedDriver) -> Driver:
    return Bringing().before(driver)


async def prepared(fleet: Fleet) -> None:
    """A site, and two releases of two components."""
    await fleet.sites("oslo")
    for version in ("1.0", "2.0"):
        await fleet.release(version, simulated("web"), simulated("db"))


async def test_all_is_fetched_before_anything_is_deployed_and_nothing_twice(world: World) -> None:
    fleet = Fleet(world)
    await prepared(fleet)
    async with world.run("deployer", deployer(bringing)) as service:
        await fleet.known(service)
        operation = await fleet.request("oslo", "apply", "1.0")
        assert isinstance(await fleet.end(operation), OperationSucceeded)
        begun = [order for order, effect in fleet.effects(operation) if effect == "started"]
        assert {order.partition("/")[0] for order in begun[:2]} == {"fetch"}
        assert {order.partition("/")[0] for order in begun[2:]} == {"forward"}
        fleet.assert_each_order_once()


@pytest.mark.parametrize("place", PLACES)
async def test_one_that_died_while_it_fetched_comes_to_the_same_end(world: World, place: str) -> None:
    fleet, gate = Fleet(world), Bringing(place, "/fetch/")
    await prepared(fleet)
    async with world.run("deployer", deployer(gate.before, runs=gate.leases), lease_seconds=LEASE) as service:
        await fleet.known(service)
        operation = await fleet.request("oslo", "apply", "1.0")
        await gate.reached.wait()
        async with world.run("deployer", deployer(bringing), instance="2", lease_seconds=LEASE):
            ended = await fleet.end(operation)
    assert isinstance(ended, OperationSucceeded)
    assert fleet.running("oslo") == {"web": "1.0", "db": "1.0"}
    fleet.assert_each_order_once()


async def test_what_cannot_be_had_touches_nothing(world: World) -> None:
    fleet = Fleet(world)
    await fleet.sites("oslo")
    await fleet.release("1.0")
    await fleet.release("2.0", simulated("web", sites={"oslo": "fail"}))
    async with world.run("deployer", deployer(bringing)) as service:
        await fleet.known(service)
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", "2.0")
        ended = await fleet.end(operation)
        assert isinstance(ended, OperationFailed)
        assert (ended.version, ended.status, ended.recovered) == ("1.0", "operational", True)
        assert [(phase.name, phase.outcome) for phase in ended.phases] == [("precheck", "done"), ("fetch", "failed")]
        assert {order for order, _ in fleet.effects(operation)} == {"fetch/web"}
        assert fleet.running("oslo") == {"web": "1.0"}


async def test_one_cancelled_while_it_fetches_touches_nothing(world: World) -> None:
    fleet = Fleet(world)
    await fleet.sites("oslo")
    await fleet.release("1.0")
    await fleet.release("2.0", simulated("web", sites={"oslo": "hang"}))
    async with world.run("deployer", deployer(bringing)) as service:
        await fleet.known(service)
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", "2.0")
        await fleet.begun(operation)
        await world.ask(CancelOperation(site="oslo", operation_id=operation, reason="not today"))
        ended = await fleet.end(operation)
        assert isinstance(ended, OperationFailed)
        assert (ended.cause.code, ended.version, ended.recovered) == ("cancelled", "1.0", True)
        assert fleet.running("oslo") == {"web": "1.0"}
