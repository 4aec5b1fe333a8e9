"""Who is where he should be is done, and undoing a strategy touches what it changed: with the deployer itself."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from services.strategy_orchestrator import message_parts
from services.strategy_orchestrator.app import wire
from services.strategy_orchestrator.rollout import undoing
from shared.messages.base import Command, CommandAccepted, CommandRejected
from shared.messages.deployer import OperationSucceeded, RequestOperation
from shared.messages.strategy import (
    ApplyStrategy,
    Counts,
    CreateStrategy,
    SitesReleased,
    StepChange,
    StepsChanged,
    StrategyPlanned,
    StrategyStateChanged,
    UndoStrategy,
)
from shared.messages.words import OperationKind, StrategyState
from shared.process.service import Service
from tests.service.deployer.fleet import deployer
from tests.service.strategy_orchestrator.fleet_of_devices import APP, learned, publish, register, spec
from tests.support.world import World

pytestmark = pytest.mark.service


@asynccontextmanager
async def system(world: World, sites: int, versions: Sequence[str]) -> AsyncIterator[Service]:
    """Both services, sites, and releases in order; each site is brought through them up to the last but one."""
    for version in versions:
        await publish(world, version)
    async with world.run("deployer", deployer()), world.run("strategy_orchestrator", wire) as service:
        await learned(service, len(versions))
        await register(world, sites)
        await rolled_out(world, "apply", versions[0])
        for version in versions[1:-1]:
            await rolled_out(world, "update", version)
        yield service


async def rolled_out(world: World, kind: str, version: str | None, **fields: object) -> str:
    """A strategy from its creation to its good end; its id."""
    strategy_id = await planned(world, spec(name=f"{kind}-{version}", type=kind, version=version, **fields))
    await done(world, strategy_id)
    return strategy_id


async def planned(world: World, of: object) -> str:
    command = of if isinstance(of, Command) else CreateStrategy(spec=of)  # type: ignore[arg-type]
    answer = await world.ask(command)
    assert isinstance(answer, CommandAccepted), answer
    return str(answer.result["strategy_id"])


async def done(world: World, strategy_id: str) -> StrategyStateChanged:
    assert isinstance(await world.ask(ApplyStrategy(strategy=strategy_id)), CommandAccepted)
    ended = await world.until(
        StrategyStateChanged, lambda e: e.strategy_id == strategy_id and e.state in ("complete", "failed", "aborted")
    )
    assert ended.state is StrategyState.COMPLETE, ended
    await world.until(SitesReleased, lambda e: e.strategy_id == strategy_id)
    return ended


async def by_hand(world: World, site: str, kind: OperationKind, version: str | None = None) -> None:
    operation = await world.send(RequestOperation(site=site, app=APP, kind=kind, version=version))
    await world.until(OperationSucceeded, lambda e: e.operation_id == operation)


async def versions(service: Service) -> dict[str, str]:
    return {r["site"]: r["version"] for r in await service.pool.fetch("select site, version from deployment")}


def last_steps(world: World, strategy_id: str) -> dict[str, StepChange]:
    events = [e for e in world.events(StepsChanged) if e.strategy_id == strategy_id]
    return {step.site: step for event in events for step in event.steps}


async def test_an_emergency_rollback_goes_on_past_a_site_that_somebody_brought_back_meanwhile(world: World) -> None:
    async with system(world, 4, ["1.0", "1.1", "1.2"]) as service:
        back = await planned(world, spec(name="back", type="rollback", version=None, max_parallel=1))
        await by_hand(world, "s-000", OperationKind.ROLLBACK)
        ended = await done(world, back)
        assert ended.counts == Counts(complete=4)
        assert await versions(service) == dict.fromkeys(["s-000", "s-001", "s-002", "s-003"], "1.0")
        step = last_steps(world, back)["s-000"]
        assert step.why is not None
        assert (step.why.code, step.operation_id) == ("already_there", None)
        assert "1.0" in step.why.message


async def test_a_site_that_is_back_already_is_left_out_of_the_plan_even_if_it_is_named(world: World) -> None:
    """The deployer's history says so: by our own count of releases the site came from 1.1."""
    async with system(world, 3, ["1.0", "1.1", "1.2"]):
        await by_hand(world, "s-000", OperationKind.ROLLBACK)
        names = ["s-000", "s-001", "s-002"]
        back = await planned(world, spec(name="back", type="rollback", version=None, selection={"sites": names}))
        plan = await world.until(StrategyPlanned, lambda e: e.strategy_id == back)
        assert [(e.site, e.code) for e in plan.excluded] == [("s-000", "no_previous_release")]
        ended = await done(world, back)
        assert ended.why.message == "2 of 3 sites are done; 1 left out"


async def test_what_was_half_done_is_undone_and_the_others_are_not_touched(world: World) -> None:
    async with system(world, 6, ["1.0", "1.1", "1.2"]) as service:
        part = {"sites": ["s-000", "s-001"]}
        half = await rolled_out(
            world, "update", "1.2", selection=part, stages=[{"name": "canary", "take": 1}, {"name": "rest"}]
        )
        refused = await world.ask(CreateStrategy(spec=spec(name="too-far", type="rollback", version=None)))
        assert isinstance(refused, CommandRejected)
        assert (refused.code, refused.faults[0].value) == ("mixed_targets", {"1.0": 4, "1.1": 2})
        back = await planned(world, UndoStrategy(strategy=half))
        plan = await world.until(StrategyPlanned, lambda e: e.strategy_id == back)
        assert [(s.name, s.sites) for s in plan.stages] == [("canary", 1), ("rest", 1)]
        assert [(t.version, t.sites) for t in plan.targets] == [("1.1", 2)]
        assert (plan.spec.name, plan.spec.undo) == ("undo-update-1.2", half)
        await done(world, back)
        assert set((await versions(service)).values()) == {"1.1"}
        again = await planned(world, UndoStrategy(strategy=back, name="forward-again"))
        await done(world, again)
        assert {s for s, v in (await versions(service)).items() if v == "1.2"} == {"s-000", "s-001"}


async def test_undo_of_a_strategy_that_named_more_sites_than_are_kept_has_its_stages_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (message_parts, undoing):
        monkeypatch.setattr(module, "NAMES_KEPT", 3)
    async with system(world, 5, ["1.0", "1.1"]):
        stages = [
            {"name": "canary", "sites": ["s-000", "s-001"]},
            {"name": "wave", "sites": ["s-002", "s-003"]},
            {"name": "rest"},
        ]
        up = await rolled_out(world, "update", "1.1", stages=stages)
        back = await planned(world, UndoStrategy(strategy=up))
        plan = await world.until(StrategyPlanned, lambda e: e.strategy_id == back)
        assert [(s.name, s.sites) for s in plan.stages] == [("canary", 2), ("wave", 2), ("rest", 1)]


async def test_a_mixed_rollback_leads_each_site_to_what_it_had_before(world: World) -> None:
    async with system(world, 3, ["1.0", "1.1", "1.2"]) as service:
        await rolled_out(world, "update", "1.2", selection={"sites": ["s-000"]})
        back = await planned(world, spec(name="back", type="rollback", version=None, mixed=True))
        assert {s: step.target for s, step in last_steps(world, back).items()} == {
            "s-000": "1.1",
            "s-001": "1.0",
            "s-002": "1.0",
        }
        await done(world, back)
        assert await versions(service) == {"s-000": "1.1", "s-001": "1.0", "s-002": "1.0"}


@pytest.mark.parametrize("kind", ["apply", "update"])
async def test_two_strategies_for_the_same_release_are_both_complete(world: World, kind: str) -> None:
    async with system(world, 3, ["1.0", "1.1"] if kind == "update" else ["1.0", "1.0.1", "1.1"]):
        if kind == "apply":
            for site in ("s-000", "s-001", "s-002"):
                await by_hand(world, site, OperationKind.REMOVE)
        facts = {"type": kind, "version": "1.1"}
        first, second = [await planned(world, spec(name=name, **facts)) for name in ("one", "two")]
        await done(world, first)
        assert (await done(world, second)).counts == Counts(complete=3)
        assert {step.why.code for step in last_steps(world, second).values() if step.why} == {"already_there"}


async def test_after_a_rollback_a_site_has_nothing_to_return_to_and_another_one_has(world: World) -> None:
    async with system(world, 2, ["1.0", "2.0", "3.0"]) as service:
        await rolled_out(world, "rollback", "1.0")
        assert set((await versions(service)).values()) == {"1.0"}
        refused = await world.ask(CreateStrategy(spec=spec(name="further", type="rollback", version=None)))
        assert isinstance(refused, CommandRejected)
        assert refused.faults[0].code == "nothing_to_do"
        assert "had no release before 1.0" in refused.faults[0].message
        await by_hand(world, "s-001", OperationKind.UPDATE, "3.0")
        back = await planned(world, spec(name="back", type="rollback", version=None))
        plan = await world.until(StrategyPlanned, lambda e: e.strategy_id == back)
        assert [(one.site, one.code) for one in plan.excluded] == [("s-000", "no_previous_release")]
        await done(world, back)
        assert set((await versions(service)).values()) == {"1.0"}


async def test_nobody_is_led_back_to_a_release_that_was_never_there(world: World) -> None:
    async with system(world, 2, ["1.0", "2.0", "3.0", "4.0"]) as service:
        await by_hand(world, "s-001", OperationKind.UPDATE, "4.0")
        named = await planned(world, spec(name="named", type="rollback", version="3.0"))
        plan = await world.until(StrategyPlanned, lambda e: e.strategy_id == named)
        assert [(one.site, one.code) for one in plan.excluded] == [("s-000", "already_there")]
        await done(world, named)
        never = await world.ask(CreateStrategy(spec=spec(name="never", type="rollback", version="4.0")))
        assert isinstance(never, CommandRejected)
        assert never.faults[0].code == "nothing_to_do"
        assert "never had shop 4.0" in never.faults[0].message
        assert set((await versions(service)).values()) == {"3.0"}
