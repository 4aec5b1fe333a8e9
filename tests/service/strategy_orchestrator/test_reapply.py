"""A strategy that carries out what has changed: on the sites where something has, and nothing anywhere else."""

import pytest

from shared.messages.base import CommandAccepted
from shared.messages.deployer import OperationsSucceeded, SetOverrides
from tests.service.deployer.fleet import ended_by
from tests.service.deployer.test_secrets import put
from tests.service.strategy_orchestrator.fleet_of_devices import APP, spec
from tests.service.strategy_orchestrator.test_going_back import done, planned, system
from tests.support.world import World

pytestmark = pytest.mark.service

UNCHANGED = ("keep", "unchanged since release 1.0")


async def _reapplied(world: World, name: str, version: str | None) -> dict[str, list[tuple[str, str]]]:
    """Way and reason per component, by site, of what a strategy of reapply did."""
    strategy_id = await planned(world, spec(name=name, version=version, only_changes=True))
    await done(world, strategy_id)
    ends = [end for event in world.events(OperationsSucceeded) for end in ended_by(event).values()]
    ours = [end for end in ends if end.strategy_id == strategy_id]
    return {end.site: [(way.action, way.reason) for way in end.plan] for end in ours}


async def _set(world: World, site: str, **values: object) -> None:
    change = {"app": APP, "level": "site", "target": site, "component": "web", "values": values}
    assert isinstance(await world.ask(SetOverrides.model_validate(change)), CommandAccepted)


async def test_changed_overrides_are_carried_out_over_the_fleet_and_unchanged_sites_end_at_once(world: World) -> None:
    async with system(world, 3, ["1.0", "2.0"]) as service:
        site = await service.pool.fetchval("select min(name) from site")
        await _set(world, site, a=1)
        plans = await _reapplied(world, "first-time", None)
        assert len(plans) == 3
        assert plans.pop(site) == [("apply", "what is set for it has changed")]
        assert {plan[0] for plan in plans.values()} == {UNCHANGED}
        again = await _reapplied(world, "again", "1.0")
        assert {plan[0][0] for plan in again.values()} == {"keep"}


async def test_a_secret_that_was_set_again_is_carried_out_where_something_uses_it(world: World) -> None:
    async with system(world, 3, ["1.0", "2.0"]) as service:
        site = await service.pool.fetchval("select min(name) from site")
        await put(world, "token", "correct-horse-battery")
        await _set(world, site, token={"secret": "token"})
        await _reapplied(world, "brings-it", None)
        await put(world, "token", "staple-for-the-horse")
        plans = await _reapplied(world, "brings-it-anew", None)
        told = "secret 'token' was set again: version 1 is deployed, and version 2 is there"
        assert plans.pop(site) == [("apply", told)]
        assert [plan[0] for plan in plans.values()] == [UNCHANGED] * 2
        again = await _reapplied(world, "again", None)
        assert {plan[0][0] for plan in again.values()} == {"keep"}
