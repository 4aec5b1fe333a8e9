"""What is wrong is refused with every reason at once, and leaves nothing behind."""

import json

import pytest

from services.strategy_orchestrator.app import wire
from shared.messages.base import Command, CommandRejected
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CommandAccepted,
    CreateGroup,
    CreateStrategy,
    DeleteGroup,
    PauseStrategy,
    RegisterSites,
    RemoveSites,
    ResumeStrategy,
    Site,
    StrategyPlanned,
    UpdateGroup,
)
from tests.service.strategy_orchestrator.fleet_of_devices import learned, publish, register, spec
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"


async def faults(world: World, command: Command) -> list[tuple[str, str]]:
    answer = await world.ask(command)
    assert isinstance(answer, CommandRejected), answer
    return [(fault.code, fault.field) for fault in answer.faults]


async def test_all_that_is_wrong_with_a_strategy_is_said_at_once(world: World) -> None:
    await publish(world)
    async with world.run(NAME, wire) as service:
        await learned(service)
        await register(world, 2)
        assert isinstance(await world.ask(CreateStrategy(spec=spec(name="taken"))), CommandAccepted)
        wrong = spec(
            name="taken",
            version="9.9",
            selection={"sites": ["s-000", "nowhere"], "groups": ["nobody"]},
            stages=[{"name": "a", "groups": ["phantoms"]}],
        )
        assert await faults(world, CreateStrategy(spec=wrong)) == [
            ("unknown_release", "spec.version"),
            ("strategy_exists", "spec.name"),
            ("unknown_site", "spec.selection.sites.1"),
            ("unknown_group", "spec.selection.groups.0"),
            ("unknown_group", "spec.stages.0.groups.0"),
        ]
        assert await service.pool.fetchval("select count(*) from strategy") == 1
        assert await service.pool.fetchval("select count(*) from step") == 2


async def test_another_spelling_of_a_version_means_the_release_that_was_published(world: World) -> None:
    await publish(world, "1.0.0")
    async with world.run(NAME, wire) as service:
        await learned(service)
        await register(world, 2)
        assert isinstance(await world.ask(CreateStrategy(spec=spec(version="v1.0"))), CommandAccepted)
        planned = await world.until(StrategyPlanned)
        assert planned.spec.version == "1.0.0"
        assert await service.pool.fetchval("select version from strategy") == "1.0.0"


async def test_selections_that_cannot_be_are_refused(world: World) -> None:
    await publish(world, "1.0")
    await publish(world, "2.0", upgrades_from=(">=1.5",))
    async with world.run(NAME, wire) as service:
        await learned(service, 2)
        assert await faults(world, CreateStrategy(spec=spec())) == [("empty_selection", "spec.selection")]
        await register(world, 2)
        assert await faults(world, CreateStrategy(spec=spec(selection={}))) == [("empty_selection", "spec.selection")]
        assert await faults(world, CreateStrategy(spec=spec(app="unknown"))) == [("unknown_app", "spec.app")]
        nowhere = spec(selection={"labels": {"region": "moon"}})
        assert await faults(world, CreateStrategy(spec=nowhere)) == [("empty_selection", "spec.selection")]
        update = spec(type="update", version="2.0")
        assert await faults(world, CreateStrategy(spec=update)) == [("nothing_to_do", "spec.selection")]
        rollback = spec(type="rollback", version=None, selection={"sites": ["s-001"]})
        assert await faults(world, CreateStrategy(spec=rollback)) == [("not_deployed", "spec.selection.sites.0")]
        partial = spec(stages=[{"name": "canary", "take": 1}])
        assert await faults(world, CreateStrategy(spec=partial)) == [("stages_leave_sites", "spec.stages")]
        await world.ask(RegisterSites(sites=(Site(name="s-000", managed=False),)))
        named = spec(selection={"sites": ["s-000"]})
        assert await faults(world, CreateStrategy(spec=named)) == [("unmanaged", "spec.selection.sites.0")]


@pytest.mark.parametrize("limit", [0, -1, 5001, "abc", "101%", "0%", "", None, 1.5, True, [1]])
async def test_limits_that_cannot_be_are_refused_with_what_would_be_right(world: World, limit: object) -> None:
    body = {"spec": json.loads(spec().model_dump_json()) | {"max_parallel": limit}}
    headers = {"ce_id": "bad-limit", "ce_type": CreateStrategy.TYPE, "ce_specversion": "1.0"}
    async with world.run(NAME, wire):
        await world.send_raw("strategy.commands", json.dumps(body).encode(), headers)
        refusal = await world.answer("bad-limit")
        assert isinstance(refusal, CommandRejected)
        assert refusal.faults[0].field == "spec.max_parallel"
        assert "1 to 5000" in refusal.faults[0].message
        assert "100%" in refusal.faults[0].message


async def test_groups_and_sites_are_refused_with_their_reason(world: World) -> None:
    async with world.run(NAME, wire):
        assert isinstance(await world.ask(CreateGroup(name="north")), CommandAccepted)
        assert await faults(world, CreateGroup(name="north")) == [("group_exists", "name")]
        assert await faults(world, UpdateGroup(name="south", max_parallel=1)) == [("unknown_group", "name")]
        strange = RegisterSites(sites=(Site(name="a", group="north"), Site(name="b", group="south"), Site(name="a")))
        assert await faults(world, strange) == [
            ("repeated_site", "sites.0.name"),
            ("unknown_group", "sites.1.group"),
            ("repeated_site", "sites.2.name"),
        ]
        await world.ask(RegisterSites(sites=(Site(name="a", group="north"),)))
        assert await faults(world, DeleteGroup(name="north")) == [("group_not_empty", "name")]
        assert await faults(world, RemoveSites(names=("a", "z"))) == [("unknown_site", "names.1")]


async def test_moves_that_a_state_does_not_allow_are_refused(world: World) -> None:
    await publish(world)
    async with world.run(NAME, wire) as service:
        await learned(service)
        await register(world, 1)
        await world.ask(CreateStrategy(spec=spec()))
        wrong_state = [("wrong_state", "strategy")]
        assert await faults(world, PauseStrategy(strategy="first")) == wrong_state
        assert await faults(world, ResumeStrategy(strategy="first")) == wrong_state
        assert isinstance(await world.ask(AbortStrategy(strategy="first")), CommandAccepted)
        assert await faults(world, AbortStrategy(strategy="first")) == wrong_state
        assert await faults(world, ApplyStrategy(strategy="first")) == wrong_state
        assert await faults(world, ApplyStrategy(strategy="nothing")) == [("unknown_strategy", "strategy")]
