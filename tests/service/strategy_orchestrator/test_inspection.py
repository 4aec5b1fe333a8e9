"""Counts that do not fit blame no message: their strategy waits for a person, and everything else goes on."""

import asyncio

import pytest

from services.strategy_orchestrator.app import wire
from services.strategy_orchestrator.rollout.unit_of_work import LOOK_AGAIN
from shared.messages.strategy import (
    ApplyStrategy,
    CommandAccepted,
    CommandRejected,
    CreateGroup,
    CreateStrategy,
    RecountStrategy,
    ResumeStrategy,
    StepsChanged,
    StrategyStateChanged,
)
from shared.messages.words import StrategyState
from shared.process.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import Devices, learned, publish, register, spec
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service


async def begun(world: World, name: str, sites: list[str]) -> None:
    """A strategy of this name and id with two running sites."""
    chosen = spec(name=name, selection={"sites": sites}, max_parallel=2)
    assert isinstance(await world.ask(CreateStrategy(spec=chosen), message_id=name), CommandAccepted)
    assert isinstance(await world.ask(ApplyStrategy(strategy=name)), CommandAccepted)


async def two_strategies(world: World, service: Service, **facts: object) -> Devices:
    """`a` and `b`, of four sites each."""
    devices = Devices(world, lambda _: "hold")
    await publish(world)
    await learned(service)
    names = await register(world, 8, **facts)
    await begun(world, "a", names[:4])
    await begun(world, "b", names[4:])
    async with patience(20):
        while len(devices.held) < 4:  # noqa: ASYNC110 - no event says that a device holds on
            await asyncio.sleep(0.02)
    return devices


async def ends_as(world: World, strategy: str, state: StrategyState) -> StrategyStateChanged:
    return await world.until(StrategyStateChanged, lambda e: e.strategy_id == strategy and e.state is state)


async def lose_a_step(service: Service) -> None:
    """What no code does: a step of `a` that waits is aborted, and its stage does not know."""
    lost = "update step set state = 'aborted' where strategy_id = 'a' and position = 3"
    assert await service.pool.execute(lost) == "UPDATE 1"


async def test_the_strategy_is_named_and_waits_while_its_steps_and_all_others_go_on(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await two_strategies(world, service)
        await lose_a_step(service)
        devices.outcome = lambda _: "succeed"
        await devices.release()
        found = await ends_as(world, "a", StrategyState.NEEDS_INSPECTION)
        assert found.why.code == "counts_differ"
        assert "sites that may start, and there are" in found.why.message
        await ends_as(world, "b", StrategyState.COMPLETE)
        states = await service.pool.fetch("select state from step where strategy_id = 'a' order by position")
        assert [row["state"] for row in states[:2]] == ["complete", "complete"]
        assert not world.dead
        await devices.stop()


async def test_a_person_has_it_recounted_and_it_goes_on(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await two_strategies(world, service)
        await lose_a_step(service)
        devices.outcome = lambda _: "succeed"
        await devices.release()
        await ends_as(world, "a", StrategyState.NEEDS_INSPECTION)
        refused = await world.ask(ResumeStrategy(strategy="a"))
        assert isinstance(refused, CommandRejected)
        assert "needs_inspection" in refused.faults[0].message
        answer = await world.ask(RecountStrategy(strategy="a", reason="seen"))
        assert isinstance(answer, CommandAccepted)
        assert answer.result["state"] == "paused"
        again = await world.ask(RecountStrategy(strategy="a"))
        assert isinstance(again, CommandRejected)
        assert isinstance(await world.ask(ResumeStrategy(strategy="a")), CommandAccepted)
        over = await ends_as(world, "a", StrategyState.FAILED)
        assert (over.counts.complete, over.counts.aborted) == (3, 1)
        assert not world.dead
        await devices.stop()


async def test_a_timer_that_finds_it_is_handled_again_and_not_put_off(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        devices = await two_strategies(world, service)
        await service.pool.execute("update step set state = 'aborted' where strategy_id = 'a' and state = 'waiting'")
        await service.pool.execute("update stage set running = 1, complete = 1 where strategy_id = 'a'")
        async with service.ledger.transaction() as tx:
            for strategy in ("a", "b"):
                tx.set_timer(LOOK_AGAIN, strategy, tx.now)
        await ends_as(world, "a", StrategyState.NEEDS_INSPECTION)
        left = await service.pool.fetch("select key from timer where kind = $1", LOOK_AGAIN)
        assert not left
        assert not service.watch.findings
        await devices.stop()


async def test_a_group_that_counts_too_few_is_recounted_with_its_strategy(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        assert isinstance(await world.ask(CreateGroup(name="north")), CommandAccepted)
        devices = await two_strategies(world, service, group="north")
        await service.pool.execute("update site_group set running = 0")
        devices.outcome = lambda command: "succeed" if command.strategy_id == "b" else "hold"
        await devices.release(count=1)
        found = await world.until(StrategyStateChanged, lambda e: e.state is StrategyState.NEEDS_INSPECTION)
        assert "group north counts -1 running sites" in found.why.message
        await devices.release()
        await world.until(StepsChanged, lambda e: any(step.state == "complete" for step in e.steps))
        answer = await world.ask(RecountStrategy(strategy=found.strategy_id))
        assert isinstance(answer, CommandAccepted), answer
        running = await service.pool.fetchval("select count(*) from step where state = 'running'")
        assert await service.pool.fetchval("select running from site_group") == running
        assert not world.dead
        await devices.stop()
