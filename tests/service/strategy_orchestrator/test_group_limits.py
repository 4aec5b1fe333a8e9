"""A group's limit holds for its sites in every strategy, beside that of the stage, at every instant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.strategy_orchestrator.app import wire
from shared.messages.base import CommandRejected
from shared.messages.deployer import RequestOperation
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CommandAccepted,
    Counts,
    CreateGroup,
    CreateStrategy,
    RegisterSites,
    RetryFailed,
    Site,
    StageProgressed,
    StrategyStateChanged,
    UpdateGroup,
)
from shared.messages.words import StrategyState
from shared.process.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import Devices, learned, publish, spec
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"
SIMULATED: dict[str, dict[str, Any]] = {"simulated": {}}


class Grouped(Devices):
    """Devices whose names begin with their group; keeps the most of a group that ever ran together."""

    def __init__(self, world: World, fate: str = "succeed") -> None:
        super().__init__(world, self.count)
        self.fate = fate
        self.busy: set[str] = set()
        self.most: dict[str, int] = {}

    def count(self, command: RequestOperation) -> str:
        if command.site in self.busy:
            return "reject:site_busy"
        group = group_of(command.site)
        here = 1 + sum(group_of(self.commands[o].site) == group for o in self.running)
        self.most[group] = max(self.most.get(group, 0), here)
        return self.fate

    async def until_held(self, count: int) -> None:
        async with patience(20), self.world.news:
            await self.world.news.wait_for(lambda: len(self.held) >= count)


def group_of(site: str) -> str:
    return site.rpartition("-")[0]


async def join(world: World, group: str, sites: int, **limits: Any) -> list[str]:
    answer = await world.ask(CreateGroup(name=group, **limits))
    assert isinstance(answer, CommandAccepted), answer
    names = [f"{group}-{n:03}" for n in range(sites)]
    assert isinstance(
        await world.ask(RegisterSites(sites=tuple(Site(name=n, connections=SIMULATED, group=group) for n in names))),
        CommandAccepted,
    )
    return names


@asynccontextmanager
async def running(world: World, fate: str = "succeed") -> AsyncIterator[tuple[Service, Grouped]]:
    await publish(world)
    devices = Grouped(world, fate)
    async with world.run(NAME, wire) as service:
        await learned(service)
        yield service, devices
    await devices.stop()


async def begin(world: World, name: str, **fields: Any) -> str:
    answer = await world.ask(CreateStrategy(spec=spec(name=name, max_parallel=50, **fields)))
    assert isinstance(answer, CommandAccepted), answer
    strategy_id = str(answer.result["strategy_id"])
    assert isinstance(await world.ask(ApplyStrategy(strategy=strategy_id)), CommandAccepted)
    return strategy_id


async def ended(world: World, strategy_id: str) -> StrategyStateChanged:
    ends = {StrategyState.COMPLETE, StrategyState.FAILED, StrategyState.ABORTED}
    return await world.until(StrategyStateChanged, lambda e: e.strategy_id == strategy_id and e.state in ends)


async def why(world: World, code: str) -> StageProgressed:
    return await world.until(StageProgressed, lambda e: e.why is not None and e.why.code == code)


async def nothing_runs(service: Service) -> None:
    assert await service.pool.fetchval("select sum(running) from site_group") == 0


async def test_it_holds_without_the_stage_naming_the_group(world: World) -> None:
    async with running(world, "hold") as (service, devices):
        await join(world, "north", 10, max_parallel="20%")
        await join(world, "south", 4, apply_type="serial", max_parallel=9)
        await world.ask(
            RegisterSites(
                sites=(
                    Site(name="lone-1", connections=SIMULATED),
                    Site(name="lone-2", connections=SIMULATED),
                )
            )
        )
        strategy_id = await begin(world, "all")
        await devices.until_held(5)
        told = await why(world, "group_limit")
        assert told.why is not None
        assert told.why.message == "groups north: 2 of 2, south: 1 of 1 sites change already"
        assert told.counts == Counts(running=5, waiting=11)
        devices.fate = "succeed"
        await devices.release()
        assert (await ended(world, strategy_id)).counts == Counts(complete=16)
        assert devices.most == {"north": 2, "south": 1, "lone": 2}
        await nothing_runs(service)
        assert await service.pool.fetchval("select count(*) from group_queue") == 0


async def test_two_strategies_share_the_places_of_a_group_also_on_two_replicas(world: World) -> None:
    async with running(world) as (service, devices), world.run(NAME, wire, "2"):
        names = await join(world, "north", 40, max_parallel=3)
        first = await begin(world, "first", selection={"sites": names[:20]})
        second = await begin(world, "second", selection={"sites": names[20:]})
        assert (await ended(world, first)).counts == Counts(complete=20)
        assert (await ended(world, second)).counts == Counts(complete=20)
        assert devices.most == {"north": 3}
        await nothing_runs(service)


async def test_a_strategy_that_waits_for_a_group_goes_on_as_soon_as_another_one_leaves_it(world: World) -> None:
    async with running(world, "hold") as (service, devices):
        names = await join(world, "north", 3, max_parallel=1)
        first = await begin(world, "first", selection={"sites": names[:1]})
        await devices.until_held(1)
        second = await begin(world, "second", selection={"sites": names[1:]})
        told = await why(world, "group_limit")
        assert told.strategy_id == second
        assert told.counts == Counts(waiting=2)
        devices.fate = "succeed"
        await devices.release("fail")
        assert (await ended(world, first)).counts == Counts(failed=1)
        assert (await ended(world, second)).counts == Counts(complete=2)
        await nothing_runs(service)


async def test_a_new_limit_holds_for_whatever_starts_from_now_on(world: World) -> None:
    async with running(world, "hold") as (service, devices):
        await join(world, "north", 8, max_parallel=4)
        strategy_id = await begin(world, "all")
        await devices.until_held(4)
        await world.ask(UpdateGroup(name="north", max_parallel=1))
        await devices.release(count=3)
        await world.until(StageProgressed, lambda e: e.counts.complete == 3)
        assert await service.pool.fetchval("select running from site_group") == 1
        await world.ask(UpdateGroup(name="north", max_parallel=3))
        await devices.until_held(3)
        devices.fate = "succeed"
        await devices.release()
        assert (await ended(world, strategy_id)).counts == Counts(complete=8)
        assert devices.most == {"north": 4}


async def test_busy_sites_take_no_place_and_start_when_they_are_free(world: World) -> None:
    async with running(world) as (service, devices):
        names = await join(world, "north", 5, max_parallel=1)
        devices.busy = {names[0]}
        strategy_id = await begin(world, "all")
        stuck = await world.until(StageProgressed, lambda e: e.counts.complete == 4)
        assert stuck.why is not None
        assert stuck.why.code == "site_busy"
        single = RequestOperation(site=names[0], app="shop", kind="apply", version="1.0")
        devices.busy = set()
        await world.send(single, message_id="by-hand")
        assert (await ended(world, strategy_id)).counts == Counts(complete=5)
        await nothing_runs(service)


async def test_an_abort_gives_the_places_back_and_a_retry_asks_for_them_anew(world: World) -> None:
    async with running(world, "hold") as (service, devices):
        await join(world, "north", 6, max_parallel=2)
        strategy_id = await begin(world, "all")
        await devices.until_held(2)
        await world.ask(AbortStrategy(strategy=strategy_id))
        await devices.release()
        await world.until(StrategyStateChanged, lambda e: e.state is StrategyState.ABORTED)
        await nothing_runs(service)
        devices.fate = "succeed"
        await world.ask(RetryFailed(strategy=strategy_id))
        done = await world.until(StrategyStateChanged, lambda e: e.state is StrategyState.COMPLETE)
        assert done.counts == Counts(complete=6)
        assert devices.most == {"north": 2}
        await nothing_runs(service)


async def test_a_site_that_changed_its_group_before_the_start_counts_there_and_keeps_it_while_it_is_held(
    world: World,
) -> None:
    async with running(world, "hold") as (service, devices):
        names = await join(world, "north", 4, max_parallel=1)
        await world.ask(CreateGroup(name="south"))
        answer = await world.ask(CreateStrategy(spec=spec(name="all", max_parallel=50)))
        assert isinstance(answer, CommandAccepted)
        moved = tuple(Site(name=name, connections=SIMULATED, group="south") for name in names[1:])
        await world.ask(RegisterSites(sites=moved))
        await world.ask(ApplyStrategy(strategy="all"))
        await devices.until_held(4)
        refused = await world.ask(RegisterSites(sites=(Site(name=names[0], connections=SIMULATED, group="south"),)))
        assert isinstance(refused, CommandRejected)
        assert [(f.code, f.field) for f in refused.faults] == [("site_held", "sites.0.group")]
        same = await world.ask(
            RegisterSites(sites=(Site(name=names[0], connections=SIMULATED, group="north", managed=False),))
        )
        assert isinstance(same, CommandAccepted)
        assert await service.pool.fetch("select name, sites, running from site_group order by name") == [
            ("north", 1, 1),
            ("south", 3, 3),
        ]
