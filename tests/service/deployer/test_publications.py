"""Operations that go to what is just being published: they wait, and then begin or end by the same rules."""

import asyncio

import pytest

from shared.messages.base import Fault
from shared.messages.catalog import PublicationSettled
from shared.messages.deployer import CancelOperation, OperationFailed, OperationProgressed, SiteRunChanged
from shared.messages.rules import Rules
from tests.service.deployer.fleet import APP, Finished, Fleet, deployer, ready
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service

NEEDS_THE_STORE = Rules.model_validate({"depends_on": [{"app": "store", "action": "apply"}]})


async def run_of(world: World, operation: str) -> SiteRunChanged:
    """The report of the run that the operation ends."""
    ended = ("done", "failed")
    return await world.until(SiteRunChanged, lambda e: e.run_id == f"{operation}.first" and e.state in ended)


FAULTS = (
    Fault(code="bad_checksum", field="checksum.md5:3", message="chart.tgz is another file than the list says"),
    Fault(code="bad_version", field="bundle.yaml:2", message="must be a version"),
)


async def settle(fleet: Fleet, publication: str, version: str | None = "2.0", app: str = APP, **facts: object) -> None:
    """As the catalog tells the end of a publication."""
    event = {"publication": publication, "state": "available", "app": app, "version": version, **facts}
    await fleet.world.send(PublicationSettled.model_validate(event), sequence=1)


async def failed(fleet: Fleet, operation: str) -> OperationFailed:
    end: Finished = await fleet.end(operation)
    assert isinstance(end, OperationFailed)
    return end


async def test_an_update_waits_for_its_release_and_tells_that_it_does(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", publication="p1")
        told = await world.until(OperationProgressed, lambda e: e.operation_id == operation)
        assert (told.phase, told.status, told.publication) == ("upload", None, "p1")
        assert fleet.running("oslo") == {"web": "1.0"}
        await settle(fleet, "p1")
        await fleet.release("2.0")  # the two events come in any order
        assert (await fleet.end(operation)).version == "2.0"
        assert fleet.running("oslo") == {"web": "2.0"}


async def test_what_was_published_begins_behind_the_apps_that_it_needs(world: World) -> None:
    async with ready(world, ["oslo"], []) as fleet:
        await fleet.release("1.0", simulated(name="store-db"), app="store", release_id="store-1.0")
        await fleet.known(fleet.service)
        operation = await fleet.request("oslo", "apply", publication="p1")
        waiting = await world.until(OperationProgressed, lambda e: e.operation_id == operation)
        await settle(fleet, "p1")
        await fleet.release("2.0", rules=NEEDS_THE_STORE)
        end = await fleet.end(operation)
        assert (end.version, end.status) == ("2.0", "operational")
        first, last = [(i.app, i.state) for i in (await run_of(world, operation)).items]
        assert (first, last) == (("store", "updated"), (APP, "updated"))
        numbers = {type(e.data): e.sequence for e in world.seen if getattr(e.data, "operation_id", "") == operation}
        assert numbers[type(end)] > numbers[type(waiting)] == 1  # who has heard of it takes the end for news


async def test_what_is_needed_and_cannot_be_had_is_told_once_the_release_has_come(world: World) -> None:
    async with ready(world, ["oslo"], []) as fleet:
        operation = await fleet.request("oslo", "apply", publication="p1")
        await settle(fleet, "p1")
        await fleet.release("2.0", rules=NEEDS_THE_STORE)
        assert (await failed(fleet, operation)).cause.code == "dependency_missing"


async def test_a_publication_that_ended_before_is_not_waited_for(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        await settle(fleet, "p1")
        operation = await fleet.request("oslo", "update", publication="p1")
        end = await fleet.end(operation)
        assert (end.from_version, end.to_version, end.version) == ("1.0", "2.0", "2.0")


async def test_what_cannot_be_published_leaves_the_site_untouched_and_says_why(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", publication="p1")
        await settle(fleet, "p1", None, state="rejected", faults=FAULTS, app=None)
        end = await failed(fleet, operation)
        assert (end.cause.code, end.recovered, end.version, end.status) == ("upload_failed", True, "1.0", "operational")
        assert all(f"{fault.field}: {fault.message}" in end.cause.message for fault in FAULTS)
        assert [(phase.name, phase.outcome) for phase in end.phases] == [("upload", "failed")]
        assert fleet.effects(operation) == []
        assert (await fleet.do("oslo", "remove")).status == "removed"


async def test_what_was_published_is_judged_by_the_rules_of_any_update(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.release("9.0", upgrades_from=(">=8.0",))
        await fleet.do("oslo", "apply", "1.0")
        far = await fleet.request("oslo", "update", publication="p1")
        await settle(fleet, "p1", "9.0")
        assert (await failed(fleet, far)).cause.code == "not_upgradable"
        same = await fleet.request("oslo", "update", publication="p2")
        await settle(fleet, "p2", "1.0")
        assert (await failed(fleet, same)).cause.code == "already_current"
        other = await fleet.request("oslo", "update", publication="p3")
        await settle(fleet, "p3", "1.0", app="cart")
        await fleet.release("1.0", app="cart", release_id="cart-1.0")
        end = await failed(fleet, other)
        assert (end.cause.code, end.to_version) == ("upload_failed", None)
        assert "'cart'" in end.cause.message
        assert fleet.running("oslo") == {"web": "1.0"}


@pytest.mark.parametrize(("said", "status"), [({}, "update_error"), ({"recover": "always"}, "operational")])
async def test_what_a_release_says_of_time_and_failures_holds_once_it_has_come(
    world: World, said: dict[str, str], status: str
) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", publication="p1", **said)
        rules = {"timeout_seconds": 1, "recover": "never"}
        await fleet.release("2.0", simulated("web", sites={"oslo": "hang"}), rules=rules)
        await settle(fleet, "p1")
        end = await failed(fleet, operation)
        assert (end.cause.code, end.status) == ("timeout", status)


async def test_what_was_asked_for_wins_over_the_release_that_comes(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", publication="p1", timeout_seconds=3600)
        await fleet.release("2.0", simulated("web", seconds=(2, 2)), rules={"timeout_seconds": 1})
        await settle(fleet, "p1")
        assert (await fleet.end(operation)).version == "2.0"


async def test_who_waits_for_nothing_ends_when_its_time_is_up(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", publication="never", timeout_seconds=1)
        end = await failed(fleet, operation)
        assert end.cause.code == "timeout"
        assert "publication never" in end.cause.message
        assert (end.version, end.status) == ("1.0", "operational")


async def test_it_can_be_cancelled_while_it_waits(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", publication="p1")
        await world.ask(CancelOperation(site="oslo", operation_id=operation, reason="another day"))
        end = await failed(fleet, operation)
        assert (end.cause.code, end.cause.message) == ("cancelled", "another day")
        await settle(fleet, "p1")
        assert (await fleet.do("oslo", "apply", "1.0")).version == "1.0"


async def test_the_first_release_of_an_app_can_be_waited_for(world: World) -> None:
    async with ready(world, ["oslo"], []) as fleet:
        operation = await fleet.request("oslo", "apply", publication="p1")
        await fleet.release("2.0")
        await settle(fleet, "p1")
        assert (await fleet.end(operation)).status == "operational"


async def test_a_publication_goes_in_place_of_a_version_and_with_what_reaches_a_release(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        assert await fleet.refused("oslo", "update", publication="p1") == ["nothing_deployed"]
        await fleet.do("oslo", "apply", "1.0")
        assert await fleet.refused("oslo", "update", "1.0", publication="p1") == ["invalid_field", "already_current"]
        assert await fleet.refused("oslo", "update", publication="p1", preview=True) == ["invalid_field"]
        assert "invalid_field" in await fleet.refused("oslo", "remove", publication="p1")
        assert await fleet.refused("oslo", "recover", recover="never") == ["invalid_field"]


async def test_many_that_wait_for_the_same_publication_all_begin(world: World) -> None:
    sites = [f"s{n}" for n in range(20)]
    async with ready(world, sites, ["1.0"]) as fleet:
        for operation in await fleet.request_all(sites, "apply", "1.0"):
            await fleet.end(operation)
        waiting = await fleet.request_all(sites, "update", publication="p1")
        await fleet.release("2.0")
        await settle(fleet, "p1")
        ends = await asyncio.gather(*(fleet.end(operation) for operation in waiting))
        assert {end.version for end in ends} == {"2.0"}
        fleet.assert_each_order_once()


async def test_what_was_told_while_no_deployer_ran_is_heard_by_the_next(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", publication="p1")
    await settle(fleet, "p1")
    await fleet.release("2.0")
    async with world.run("deployer", deployer(), instance="2"):
        assert (await fleet.end(operation)).version == "2.0"
    fleet.assert_each_order_once()


async def test_a_refused_publication_that_was_told_while_no_deployer_ran_ends_its_operation(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", publication="p1")
    await settle(fleet, "p1", None, app=None, state="failed")
    async with world.run("deployer", deployer(), instance="2"):
        assert (await failed(fleet, operation)).cause.code == "upload_failed"
    assert fleet.running("oslo") == {"web": "1.0"}
