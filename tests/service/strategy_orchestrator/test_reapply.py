"""A strategy that carries out what has changed: on the sites where something has, and nothing anywhere else."""

import pytest

from shared.messages.base import CommandAccepted
from shared.messages.deployer import OperationsSucceeded, SetOverrides
from tests.service.deployer.fleet import ended_by
from tests.service.strategy_orchestrator.fleet_of_devices import APP, spec
from tests.service.strategy_orchestrator.test_going_back import done, planned, system
from tests.support.world import World

pytestmark = pytest.mark.service


async def _reapplied(world: World, name: str, version: str | None) -> str:
    strategy_id = await planned(world, spec(name=name, version=version, only_changes=True))
    await done(world, strategy_id)
    return strategy_id


async def test_changed_overrides_are_carried_out_over_the_fleet_and_unchanged_sites_end_at_once(world: World) -> None:
    async with system(world, 3, ["1.0", "2.0"]) as service:
        site = await service.pool.fetchval("select min(name) from site")
        change = SetOverrides(app=APP, level="site", target=site, component="web", values={"a": 1})
        assert isinstance(await world.ask(change), CommandAccepted)
        before = len(world.events(OperationsSucceeded))
        strategy_id = await _reapplied(world, "first-time", None)
        ends = [end for event in world.events(OperationsSucceeded)[before:] for end in ended_by(event).values()]
        assert {end.strategy_id for end in ends} == {strategy_id}
        plans = {end.site: [(way.action, way.reason) for way in end.plan] for end in ends}
        assert len(plans) == 3
        assert plans.pop(site) == [("apply", "what is set for it has changed")]
        assert {plan[0] for plan in plans.values()} == {("keep", "unchanged since release 1.0")}
        again = await _reapplied(world, "again", "1.0")
        told = [end for event in world.events(OperationsSucceeded) for end in ended_by(event).values()]
        assert {end.plan[0].action for end in told if end.strategy_id == again} == {"keep"}
