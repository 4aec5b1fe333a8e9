"""A fleet that was registered before the deployer knew of groups: it learns of them by itself after the upgrade."""

import asyncio

import pytest

from services.strategy_orchestrator.app import wire as orchestrator
from shared.messages.base import CommandAccepted
from shared.messages.deployer import OperationSucceeded, RequestOperation, SetOverrides
from shared.messages.strategy import CreateGroup, RegisterSites, Site, SitesChanged
from shared.process.service import Service
from tests.service.deployer.fleet import APP, Fleet, deployer
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service
FLEET = 1_003
"""More than one part of the telling holds."""

KNOWN = "select count(*) from site where site_group is not null and labels <> '{}'"


async def register(world: World) -> None:
    for group in ("north", "south"):
        await world.ask(CreateGroup(name=group))
    sites = [
        Site(name=f"s{n:04}", group=("north", "south")[n % 2], labels={"tier": "edge"}, connections={"simulated": {}})
        for n in range(FLEET)
    ]
    for start in range(0, FLEET, 400):
        await world.ask(RegisterSites(sites=tuple(sites[start : start + 400])))


async def learned(world: World, service: Service, sites: int) -> None:
    """All of them, with what the deployer keeps of each."""
    async with patience(30):
        while await service.pool.fetchval(KNOWN) != sites:  # noqa: ASYNC110 - its tables say so, no event does
            await asyncio.sleep(0.05)


async def test_sites_registered_before_an_upgrade_take_part_in_what_is_set_for_their_group(world: World) -> None:
    async with world.run("strategy_orchestrator", orchestrator) as service, world.run("deployer", deployer()) as old:
        await register(world)
        await learned(world, old, FLEET)
        await old.pool.execute("update site set site_group = null, labels = '{}'")  # as a version before left it
        await service.pool.execute("delete from migration where name like '0720%'")
    told = len(world.events(SitesChanged))
    async with world.run("strategy_orchestrator", orchestrator), world.run("deployer", deployer()) as new:
        await learned(world, new, FLEET)
        assert len(world.events(SitesChanged)) - told == 3
        await Fleet(world).release("1.0")
        async with patience(30):
            while not await new.pool.fetchval("select count(*) from release"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        given = SetOverrides(app=APP, level="group", target="south", component="web", values={"a": 1})
        assert isinstance(await world.ask(given), CommandAccepted)
        operation = await world.send(RequestOperation(site="s0001", app=APP, kind="apply", version="1.0"))
        done = await world.until(OperationSucceeded, lambda e: e.operation_id == operation)
        assert [change.path for change in done.plan[0].values] == ["a"]
