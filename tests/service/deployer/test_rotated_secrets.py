"""A secret that is set again is a change of what was deployed with it: told, and carried out by whoever may."""

from collections.abc import Sequence
from typing import Any

import pytest

from services.deployer.drivers import Order
from services.deployer.drivers.simulated.driver import SimulatedDriver
from shared.messages.deployer import (
    AutomaticRequested,
    DriftEnded,
    DriftFound,
    OperationFailed,
    OperationSucceeded,
    SetOverrides,
)
from tests.service.deployer.audited import ENVIRONMENT, QUICK, behave
from tests.service.deployer.fleet import APP, Fleet, deployer, ready
from tests.service.deployer.test_secrets import put
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service
VALUES = ["correct-horse-battery", "staple-for-the-horse", "a-third-of-them"]


class Given(SimulatedDriver):
    """Devices that note which token each order brought."""

    def __init__(self, home: Any) -> None:
        super().__init__(home)
        self.tokens: dict[str, str] = {}

    def before(self, _: SimulatedDriver) -> "Given":
        """In place of plain devices."""
        return self

    async def start(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self.tokens[order.key] = order.component.spec.values.get("token", "")
        await super().start(orders)


async def with_token(fleet: Fleet) -> None:
    """`web` takes a token from a secret, and its site is reached with another secret; `db` takes none."""
    await put(fleet.world, "token", VALUES[0])
    await put(fleet.world, "login", VALUES[0])
    values = {"token": {"secret": "token"}}
    command = {"app": APP, "level": "fleet", "component": "web", "values": values}
    await fleet.world.ask(SetOverrides.model_validate(command))


def versions(done: Any) -> dict[str, int]:
    assert isinstance(done, OperationSucceeded | OperationFailed), done
    return {each.name: each.version for each in done.secrets or ()}


async def test_it_is_told_with_its_versions_and_a_reapply_brings_it_to_what_uses_it_alone(world: World) -> None:
    devices = Given(world.home / "devices")
    async with ready(world, [], [], drive=devices.before) as fleet:
        await fleet.release("1.0", simulated(), simulated("db"))
        await fleet.release("2.0", simulated(), simulated("db"), bundle_sha256=f"{sum(b'1.0'):064x}")
        await fleet.sites("oslo", params={"password": {"secret": "login"}})
        await fleet.known(fleet.service)
        await with_token(fleet)
        assert versions(await fleet.do("oslo", "apply", "1.0")) == {"token": 1}
        for name in ("token", "login"):
            await put(world, name, VALUES[1])
        request = {"kind": "apply", "only_changes": True}
        told = (await fleet.answer("oslo", preview=True, **request)).result
        ways = {way["component"]: (way["action"], way["reason"]) for way in told["plan"]}
        assert ways == {
            "web": ("apply", "secret 'token' was set again: version 1 is deployed, and version 2 is there"),
            "db": ("keep", "unchanged since release 1.0"),
        }
        operation = await fleet.request("oslo", **request)
        assert versions(await fleet.end(operation)) == {"token": 2}
        assert [devices.tokens[k] for k in devices.tokens if k.startswith(operation)] == [VALUES[1]]
        assert versions(await fleet.do("oslo", "update", "2.0")) == {"token": 2}, "kept, and still known"
        again = await fleet.do("oslo", **request)
        assert {way.action for way in again.plan} == {"keep"}


async def test_what_fails_with_the_new_one_is_back_with_the_old_and_a_killed_reapply_is_done_once_more(
    world: World,
) -> None:
    devices = Given(world.home / "devices")
    async with ready(world, [], [], drive=devices.before) as fleet:
        await fleet.release("1.0", simulated(), simulated("db"))
        await fleet.release("2.0", simulated(sites={"oslo": "fail"}), simulated("db"))
        await fleet.sites("oslo")
        await fleet.known(fleet.service)
        await with_token(fleet)
        await fleet.do("oslo", "apply", "1.0")
        await put(world, "token", VALUES[1])
        failed = await fleet.do("oslo", "update", "2.0")
        assert isinstance(failed, OperationFailed)
        assert failed.recovered
        assert versions(failed) == {"token": 1}, "the way back brought what ran, with its values"
    fleet.world = world
    slow = simulated(seconds=(0.5, 0.5))
    await fleet.release("3.0", slow, simulated("db"))
    async with world.run("deployer", deployer(drive=devices.before, runs=None), "2") as service:
        await fleet.known(service)
        begun = await fleet.request("oslo", "update", "3.0")
        await put(world, "token", VALUES[2])
        await service.pool.execute("update operation set claims = 1 where id = $1", begun)  # by one that was killed
    async with world.run("deployer", deployer(drive=devices.before), "3"):
        assert versions(await fleet.end(begun)) == {"token": 2}, "nobody knows which of the two it got"
        assert versions(await fleet.do("oslo", "apply", only_changes=True)) == {"token": 3}


async def test_the_audit_tells_it_and_has_it_applied_where_that_is_wanted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    async with ready(world, [], [], **QUICK) as fleet:
        await fleet.release("1.0", simulated(), simulated("db"))
        await fleet.sites("oslo")
        await fleet.known(fleet.service)
        await with_token(fleet)
        await fleet.do("oslo", "apply", "1.0")
        await behave(world, audit=True)
        await put(world, "token", VALUES[1])
        [found] = (await world.until(DriftFound, lambda _: True)).sites
        [component] = found.components
        assert (component.component, component.code, found.then) == ("web", "secret_rotated", "told")
        assert component.message == "secret 'token' was set again: version 1 is deployed, and version 2 is there"
        assert not world.events(AutomaticRequested)
        await behave(world, desired_state="deployed")
        asked = await world.until(AutomaticRequested, lambda _: True)
        assert (asked.kind, asked.cause.code) == ("apply", "drift_found")
        done = await fleet.end(asked.operation_id)
        assert versions(done) == {"token": 2}
        assert {way.component: way.action for way in done.plan} == {"web": "apply", "db": "keep"}
        await world.until(DriftEnded, lambda _: True)
