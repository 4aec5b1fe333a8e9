"""Operations that are cancelled, or whose time is up: they end, and the site is back on what it had."""

import asyncio

import pytest

from shared.messages.base import CommandAccepted, CommandRejected
from shared.messages.deployer import CancelOperation, OperationFailed, OperationProgressed
from tests.service.deployer.fleet import Fleet, Gate, deployer, ready
from tests.support.components import simulated
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

SLOW = simulated("web", seconds=(30, 30))
HANGING = simulated("web", sites={"oslo": "hang"})


async def cancel(fleet: Fleet, operation: str, site: str = "oslo") -> CommandAccepted | CommandRejected:
    return await fleet.world.ask(CancelOperation(site=site, operation_id=operation, reason="the wrong evening"))


async def test_a_running_operation_is_cancelled_and_the_site_recovered(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.release("2.0", SLOW)
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", "2.0")
        assert isinstance(await cancel(fleet, operation), CommandAccepted)
        ended = await fleet.end(operation)
        assert isinstance(ended, OperationFailed)
        assert (ended.cause.code, ended.cause.message) == ("cancelled", "the wrong evening")
        assert (ended.recovered, ended.version, fleet.running("oslo")) == (True, "1.0", {"web": "1.0"})


async def test_an_operation_that_nobody_has_begun_is_cancelled_without_effects(world: World) -> None:
    fleet = Fleet(world)
    await fleet.sites("oslo")
    await fleet.release("1.0")
    async with world.run("deployer", deployer(runs=None)) as service:
        await fleet.known(service)
        operation = await fleet.request("oslo", "apply", "1.0")
        await cancel(fleet, operation)
    async with world.run("deployer", deployer()):
        ended = await fleet.end(operation)
    assert isinstance(ended, OperationFailed)
    assert (ended.cause.code, ended.recovered, ended.status) == ("cancelled", True, "new")
    assert fleet.effects(operation) == []


async def test_only_an_operation_that_runs_there_can_be_cancelled(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0"]) as fleet:
        operation = await fleet.request("oslo", "apply", "1.0")
        await fleet.end(operation)
        answers = [await cancel(fleet, operation), await cancel(fleet, "ghost"), await cancel(fleet, operation, "rome")]
        codes = [answer.code for answer in answers if isinstance(answer, CommandRejected)]
        assert codes == ["already_finished", "unknown_operation", "unknown_operation"]


async def test_a_recovery_that_is_at_its_site_is_not_stopped(world: World) -> None:
    """It ran into an error, somebody recovers it and presses Cancel: the site must not be left with another error."""
    async with ready(world, ["oslo"], [], progress_seconds=0.05) as fleet:
        await fleet.release("1.0", simulated("web", seconds=(2, 2)))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "recover")
        told = await world.until(OperationProgressed, lambda event: event.operation_id == operation)
        answer = await cancel(fleet, operation)
        assert told.phase == "deploy"
        assert isinstance(answer, CommandRejected)
        assert (answer.code, answer.faults[0].field) == ("not_stoppable", "operation_id")
        ended = await fleet.end(operation)
        assert (ended.status, fleet.running("oslo")) == ("operational", {"web": "1.0"})


async def test_a_recovery_that_begins_just_then_is_not_stopped_either(world: World) -> None:
    """Where its course was not saved yet, nobody knows how far it is: the wish is taken, and comes too late."""
    async with ready(world, ["oslo"], [], progress_seconds=60) as fleet:
        await fleet.release("1.0", simulated("web", seconds=(1, 1)))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "recover")
        await fleet.begun(operation)
        assert isinstance(await cancel(fleet, operation), CommandAccepted)
        ended = await fleet.end(operation)
        assert (ended.status, fleet.running("oslo")) == ("operational", {"web": "1.0"})


async def test_a_hanging_device_is_ended_by_the_timeout(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.release("2.0", HANGING)
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        ended = await fleet.do("oslo", "update", "2.0", timeout_seconds=1)
        assert isinstance(ended, OperationFailed)
        assert (ended.cause.code, ended.recovered, fleet.running("oslo")) == ("timeout", True, {"web": "1.0"})
        assert 1 <= ended.seconds < 3


async def test_a_recovery_that_hangs_is_ended_too_and_the_site_can_be_mended(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"], recovery_seconds=0.5) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        await fleet.sites("oslo", params={"simulated": "hang"})
        await fleet.known(fleet.service)
        ended = await fleet.do("oslo", "update", "2.0", timeout_seconds=1)
        assert isinstance(ended, OperationFailed)
        assert (ended.cause.code, ended.recovered, ended.status) == ("timeout", False, "update_error")
        assert "then the recovery failed" in ended.cause.message
        await fleet.sites("oslo")
        await fleet.known(fleet.service)
        assert (await fleet.do("oslo", "recover")).status == "operational"


async def test_cancelling_many_at_once_ends_them_all(world: World) -> None:
    sites = [f"site-{n}" for n in range(50)]
    async with ready(world, sites, []) as fleet:
        await fleet.release("1.0", SLOW)
        await fleet.known(fleet.service)
        operations = await fleet.request_all(sites, "apply", "1.0")
        await asyncio.gather(*(cancel(fleet, o, site) for o, site in zip(operations, sites, strict=True)))
        ends = [await fleet.end(operation) for operation in operations]
        assert {end.cause.code for end in ends if isinstance(end, OperationFailed)} == {"cancelled"}
        assert not any(fleet.running(site) for site in sites)
        fleet.assert_each_order_once()


async def test_who_cancels_amid_a_recovery_does_not_stop_it(world: World) -> None:
    fleet, gate = Fleet(world), Gate("start of the way back")
    await fleet.sites("oslo")
    await fleet.release("1.0")
    await fleet.release("2.0", simulated("web", sites={"oslo": "fail"}))
    async with world.run("deployer", deployer(gate.before)) as service:
        await fleet.known(service)
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", "2.0")
        await gate.reached.wait()
        assert isinstance(await cancel(fleet, operation), CommandAccepted)
        gate.opened.set()
        ended = await fleet.end(operation)
    assert isinstance(ended, OperationFailed)
    assert ended.cause.code != "cancelled"
    assert (ended.version, ended.status, ended.recovered) == ("1.0", "operational", True)
    assert fleet.running("oslo") == {"web": "1.0"}
