"""Sites become unmanaged, go offline or into maintenance in each state of their steps; who takes part in which type."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from shared.messages.base import Command, CommandRejected
from shared.messages.deployer import (
    AvailabilityChanged,
    Cause,
    RequestOperations,
    SecretChanged,
    SecretRemoved,
    SiteAvailability,
)
from shared.messages.strategy import (
    ApplyStrategy,
    ChangeSites,
    Counts,
    CreateGroup,
    CreateStrategy,
    PauseStrategy,
    RaiseAlarm,
    RegisterSites,
    RemoveSites,
    ResumeStrategy,
    RetryFailed,
    Selection,
    Site,
    StageProgressed,
    StepsChanged,
    StrategyPlanned,
)
from shared.messages.words import OperationKind, StepState, StrategyState
from shared.process.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import register, spec
from tests.service.strategy_orchestrator.test_left_out import accepted, codes, held_back, reason
from tests.service.strategy_orchestrator.test_roll_out import IN_ORDER, create, orchestrated, state
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service

NTH = count(1)


def in_order(sites: int) -> dict[str, Any]:
    """A stage of so many sites that start in their order."""
    return {"name": "all", "sites": [f"s-{n:03}" for n in range(sites)]}


async def told(world: World, availability: str, *sites: str) -> None:
    """As the deployer says it."""
    now = datetime.now(UTC)
    cause = Cause(code="unreachable", message="no route to host") if availability == "offline" else None
    was = "online" if availability == "offline" else "offline"
    facts = {"availability": availability, "was": was, "since": now, "cause": cause}
    named = tuple(SiteAvailability(site=site, nth=next(NTH), **facts) for site in sites)
    await world.send(AvailabilityChanged(bucket=0, sites=named, at=now))


def changed(sites: Iterable[str], **facts: bool) -> Command:
    return ChangeSites(selection=Selection(sites=tuple(sites)), **facts)


async def aborted_with(world: World, strategy_id: str, site: str, code: str) -> None:
    assert await reason(world, strategy_id, site, StepState.ABORTED) == code


async def noted(service: Service, site: str, availability: str) -> None:
    """Until the orchestrator has heard of it; no event says so, its table does."""
    async with patience(10):
        while await service.pool.fetchval("select availability from site where name = $1", site) != availability:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


Turn = Callable[[World, str], Coroutine[Any, Any, object]]
TURNS: dict[str, Turn] = {
    "offline": lambda world, site: told(world, "offline", site),
    "unmanaged": lambda world, site: accepted(world, changed([site], managed=False)),
    "in_maintenance": lambda world, site: accepted(world, changed([site], maintenance=True)),
}


@pytest.mark.parametrize("code", TURNS)
async def test_a_waiting_step_ends_at_the_event_that_its_site_cannot_be_changed(world: World, code: str) -> None:
    async with orchestrated(world, 3, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=1, stages=[IN_ORDER])
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await TURNS[code](world, "s-002")
        await aborted_with(world, strategy_id, "s-002", code)
        devices.outcome = lambda _: "succeed"
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert (ended.counts, ended.why.code) == (Counts(complete=2, aborted=1), "sites_failed")


@pytest.mark.parametrize("code", TURNS)
async def test_a_running_step_goes_on_to_the_end_that_the_deployer_tells(world: World, code: str) -> None:
    async with orchestrated(world, 1, lambda _: "hold") as (service, devices):
        strategy_id = await create(world)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await TURNS[code](world, "s-000")
        if code == "offline":
            await noted(service, "s-000", "offline")
        await devices.release()
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=1)


@pytest.mark.parametrize("code", TURNS)
async def test_a_step_whose_site_is_busy_does_not_wait_for_a_site_that_cannot_be_changed(
    world: World, code: str
) -> None:
    fates = {"s-000": "reject:site_busy"}
    async with orchestrated(world, 2, lambda c: fates.get(c.site, "hold")) as (service, devices):
        await service.pool.execute("update site set operation_id = 'somebody-elses' where name = 's-000'")
        strategy_id = await create(world, max_parallel=1, stages=[in_order(2)])
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await world.until(StepsChanged, lambda e: any(s.why and s.why.code == "site_busy" for s in e.steps))
        await TURNS[code](world, "s-000")
        await aborted_with(world, strategy_id, "s-000", code)
        await held_back(world, devices, 1)
        await devices.release()
        assert (await state(world, strategy_id, StrategyState.FAILED)).counts == Counts(complete=1, aborted=1)
        assert await service.pool.fetchval("select blocked from stage") == 0


@pytest.mark.parametrize("code", TURNS)
async def test_a_paused_strategy_of_groups_keeps_exact_counts_and_ends(world: World, code: str) -> None:
    async with orchestrated(world, 0, lambda _: "hold") as (service, devices):
        await accepted(world, CreateGroup(name="north", max_parallel=1))
        await register(world, 4, group="north")
        strategy_id = await create(
            world, max_parallel=4, stages=[{**IN_ORDER, "sites": [f"s-{n:03}" for n in range(4)]}]
        )
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await accepted(world, PauseStrategy(strategy=strategy_id))
        for site in ("s-001", "s-003"):
            await TURNS[code](world, site)
            await aborted_with(world, strategy_id, site, code)
        assert await service.pool.fetchval("select sum(waiting) from group_queue") == 1
        devices.outcome = lambda _: "succeed"
        await devices.release()
        await accepted(world, ResumeStrategy(strategy=strategy_id))
        assert (await state(world, strategy_id, StrategyState.FAILED)).counts == Counts(complete=2, aborted=2)
        assert await service.pool.fetchval("select running from site_group") == 0


async def test_hundreds_of_sites_that_go_offline_at_once_end_at_once(world: World) -> None:
    async with orchestrated(world, 400, lambda _: "hold") as (_, devices):
        order = in_order(400)
        strategy_id = await create(world, max_parallel=1, stages=[order])
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await told(world, "offline", *order["sites"])
        await world.until(StageProgressed, lambda e: e.counts.aborted == 399)
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert ended.counts == Counts(complete=1, aborted=399)


async def test_a_site_that_was_registered_as_unmanaged_ends_its_step(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=1, stages=[in_order(2)])
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await accepted(world, RegisterSites(sites=(Site(name="s-001", connections={"simulated": {}}, managed=False),)))
        await aborted_with(world, strategy_id, "s-001", "unmanaged")
        assert await codes(world, RemoveSites(names=("s-001",))) == ["site_held"]


@pytest.mark.parametrize("code", TURNS)
@pytest.mark.parametrize("kind", ["prestage", "apply", "update", "rollback", "remove"])
async def test_no_type_plans_for_a_site_that_cannot_be_changed(world: World, code: str, kind: str) -> None:
    async with orchestrated(world, 2) as (service, _):
        await TURNS[code](world, "s-001")
        if code == "offline":
            await noted(service, "s-001", "offline")
        about = {"type": kind, "version": None if kind in {"remove", "rollback"} else "1.0"}
        refused = await codes(world, CreateStrategy(spec=spec(**about, selection={"sites": ["s-001"]})))
        assert refused == [code]


async def test_a_site_with_alarms_that_affect_its_management_is_left_out_unless_by_force(world: World) -> None:
    async with orchestrated(world, 2) as (_, _):
        alarm = {"site": "s-001", "alarm": "disk", "severity": "major"}
        await accepted(world, RaiseAlarm(**alarm))
        await create(world, type="prestage")
        await accepted(world, RaiseAlarm(**alarm, management_affecting=True))
        await create(world, name="second", type="prestage")
        planned = await world.until(StrategyPlanned, lambda p: p.spec.name == "second")
        assert [(e.site, e.code) for e in planned.excluded] == [("s-001", "alarms_active")]
        only = {"selection": {"sites": ["s-001"]}, "type": "prestage"}
        assert await codes(world, CreateStrategy(spec=spec(**only))) == ["strategy_exists", "alarms_active"]
        await create(world, name="third", force=True, **only)


async def test_a_site_whose_connection_names_a_secret_that_is_not_there_is_left_out(world: World) -> None:
    async with orchestrated(world, 1) as (service, _):
        deep = {"host": "10.0.0.1", "become": [{"password": {"secret": "oslo"}}], "secret": "a word of its own"}
        site = Site(name="s-001", connections={"simulated": deep})
        await accepted(world, RegisterSites(sites=(site,)))
        await create(world, type="prestage")
        planned = await world.until(StrategyPlanned)
        assert [(e.site, e.code) for e in planned.excluded] == [("s-001", "unknown_secret")]
        assert "names a secret that is not there: oslo;" in planned.excluded[0].message
        only = {"selection": {"sites": ["s-001"]}}
        for kind in ("prestage", "apply"):
            refused = await codes(world, CreateStrategy(spec=spec(name="second", type=kind, **only)))
            assert refused == ["unknown_secret"]
        await world.send(SecretChanged(name="oslo", version=1, at=datetime.now(UTC)))
        await secrets(service, ["oslo"])
        await create(world, name="second", **only)
        await world.send(SecretRemoved(name="oslo", at=datetime.now(UTC)))
        await secrets(service, [])
        assert await codes(world, CreateStrategy(spec=spec(name="third", **only))) == ["unknown_secret"]


async def secrets(service: Service, names: list[str]) -> None:
    """Until the orchestrator has heard of them."""
    async with patience(10):
        while [row["name"] for row in await service.pool.fetch("select name from secret")] != names:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", ["upgrade", "rehearse"])
async def test_a_type_whose_operation_does_not_exist_yet_is_refused_with_the_reason(world: World, kind: str) -> None:
    async with orchestrated(world, 1) as (service, _):
        refused = await world.ask(CreateStrategy(spec=spec(type=kind)))
        assert isinstance(refused, CommandRejected)
        assert (refused.code, refused.faults[0].field) == ("type_unavailable", "spec.type")
        assert f"no operation `{kind}` yet" in refused.faults[0].message
        assert await service.pool.fetchval("select count(*) from strategy") == 0


async def test_a_remove_takes_the_app_off_and_leaves_out_sites_without_it(world: World) -> None:
    async with orchestrated(world, 3) as (_, devices):
        first = await create(world, selection={"sites": ["s-000", "s-001"]})
        await accepted(world, ApplyStrategy(strategy=first))
        await state(world, first, StrategyState.COMPLETE)
        devices.outcome = lambda c: "reject:nothing_deployed" if c.site == "s-001" else "succeed"
        second = await create(world, name="second", type="remove", version=None)
        planned = await world.until(StrategyPlanned, lambda p: p.spec.name == "second")
        assert [(e.site, e.code) for e in planned.excluded] == [("s-002", "already_removed")]
        await accepted(world, ApplyStrategy(strategy=second))
        done = await state(world, second, StrategyState.COMPLETE)
        assert done.why.message == "2 of 3 sites are done; 1 left out"
        assert await reason(world, second, "s-001", StepState.COMPLETE) == "already_removed"
        asked = await world.until(RequestOperations, lambda c: c.strategy_id == second)
        assert (asked.kind, asked.version) == (OperationKind.REMOVE, None)


@pytest.mark.parametrize(("found", "code"), [("site_offline", "offline"), ("in_maintenance", "in_maintenance")])
async def test_what_a_precheck_finds_of_a_site_is_no_failure_of_the_release(
    world: World, found: str, code: str
) -> None:
    async with orchestrated(world, 3, lambda c: f"fail:{found}" if c.site == "s-000" else "succeed") as (service, _):
        strategy_id = await create(world, type="prestage", max_parallel=1, stages=[IN_ORDER])
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert (ended.counts, ended.why.code) == (Counts(complete=2, aborted=1), "sites_failed")
        await aborted_with(world, strategy_id, "s-000", code)
        assert await service.pool.fetchval("select count(*) from deployment") == 0, "it changed nothing that runs"


async def test_a_prestage_says_its_round_and_its_force(world: World) -> None:
    async with orchestrated(world, 1, lambda _: "fail") as (_, _):
        strategy_id = await create(world, type="prestage", force=True)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        first = await world.until(RequestOperations)
        assert (first.kind, first.force, first.round, first.again) == (OperationKind.PRESTAGE, True, 1, False)
        await state(world, strategy_id, StrategyState.FAILED)
        await accepted(world, RetryFailed(strategy=strategy_id))
        await world.until(RequestOperations, lambda c: c.round == 2)
