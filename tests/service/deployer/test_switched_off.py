"""Components that were switched off while their release stayed: nobody looks for them, and no plan asks for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.messages.base import CommandAccepted
from shared.messages.deployer import AutomaticRequested, ClearOverrides, DriftFound, SetOverrides
from tests.service.deployer.audited import QUICK, behave, looked_at
from tests.service.deployer.fleet import APP, Fleet, ready
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service

EXTRA = simulated("extra")
ABOUT: dict[str, Any] = {"app": APP, "level": "fleet", "component": "extra"}
LEFT = (
    "insert into component_revision (site, app, component, version, revision, driver, digest)"
    " values ('oslo', 'shop', 'extra', '1.0', '1.0', 'simulated', 'of then') on conflict do nothing"
)
"""What deployers of before left behind of a component that they had switched off."""


@asynccontextmanager
async def runs(world: World, *, enabled: bool) -> AsyncIterator[Fleet]:
    """A site that runs a release with an `extra`, which is on or off by itself, and may go to one that has it on."""
    async with ready(world, ["oslo"], [], **QUICK) as fleet:
        await fleet.release("1.0", simulated("web"), EXTRA.model_copy(update={"enabled": enabled}))
        await fleet.release("2.0", simulated("web"), EXTRA)
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        yield fleet


async def carried_out(fleet: Fleet, change: SetOverrides | ClearOverrides) -> None:
    """What people change is there."""
    assert isinstance(await fleet.world.ask(change), CommandAccepted)
    await fleet.do("oslo", "apply", only_changes=True)


async def test_a_component_that_was_on_for_a_while_breaks_no_audit_and_no_update(world: World) -> None:
    async with runs(world, enabled=False) as fleet:
        await carried_out(fleet, SetOverrides(**ABOUT, enabled=True))
        assert fleet.running("oslo") == {"web": "1.0", "extra": "1.0"}
        await carried_out(fleet, ClearOverrides(**ABOUT))
        await fleet.service.pool.execute(LEFT)
        await behave(world, audit=True)
        await looked_at(fleet, times=1)
        assert not world.events(DriftFound)
        done = await fleet.do("oslo", "update", "2.0")
        assert {way.component: way.action for way in done.plan} == {"web": "apply", "extra": "apply"}
        assert fleet.running("oslo") == {"web": "2.0", "extra": "2.0"}


async def test_that_a_component_is_gone_which_a_person_switched_off_is_no_drift(world: World) -> None:
    async with runs(world, enabled=True) as fleet:
        await carried_out(fleet, SetOverrides(**ABOUT, enabled=False))
        assert fleet.running("oslo") == {"web": "1.0"}
        await fleet.service.pool.execute(LEFT)
        await behave(world, audit=True, desired_state="deployed")
        await looked_at(fleet, times=1)
        assert (world.events(DriftFound), world.events(AutomaticRequested)) == ([], [])


async def test_what_was_recorded_of_a_component_goes_when_it_is_switched_off(world: World) -> None:
    async def recorded() -> list[str]:
        rows = await fleet.service.pool.fetch("select component from component_revision order by component")
        return [row["component"] for row in rows]

    async with runs(world, enabled=True) as fleet:
        assert await recorded() == ["extra", "web"]
        await carried_out(fleet, SetOverrides(**ABOUT, enabled=False))
        assert await recorded() == ["web"]
        await fleet.service.pool.execute(LEFT)
        await fleet.do("oslo", "apply", only_changes=True)
        assert await recorded() == ["web"], "also what deployers of before left"
        await carried_out(fleet, SetOverrides(**ABOUT, enabled=True))
        assert await recorded() == ["extra", "web"]
