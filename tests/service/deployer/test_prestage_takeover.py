"""A deployer is killed amid prestages: another one goes on, nothing is sent twice, and nobody waits for ever."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.messages.catalog import PrepareRelease
from shared.messages.deployer import (
    OperationFailed,
    OperationsTaken,
    OperationSucceeded,
    Requested,
    RequestOperations,
)
from tests.service.deployer.fleet import APP, Fleet, Gate, deployer, ready
from tests.service.deployer.prepared import MIB, asked, fail, item, prepare, sent, until_asked
from tests.service.deployer.test_takeover import LEASE, PLACES
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]


async def tell_two_releases(fleet: Fleet) -> None:
    """1.0, which nobody needs any more once 2.0 lies there, and 2.0."""
    await fleet.sites("oslo")
    for version in ("1.0", "2.0"):
        await fleet.release(version)
        await prepare(fleet, version, item(f"wheels-{version}"), item(f"image-{version}", 3 * MIB, "image"))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("phase", ["fetch_packages", "fetch_images", "discard"])
async def test_another_deployer_goes_on_where_a_dead_one_was(world: World, phase: str, place: str) -> None:
    fleet, gate = Fleet(world), Gate(place, only=f"/{phase}/")
    await tell_two_releases(fleet)
    async with world.run("deployer", deployer(prestaged_keep=1), instance="0", lease_seconds=LEASE) as service:
        await fleet.known(service)
        assert isinstance(await fleet.do("oslo", "prestage", "1.0"), OperationSucceeded)
    wire = deployer(gate.before, runs=gate.leases, prestaged_keep=1)
    async with world.run("deployer", wire, lease_seconds=LEASE):
        operation = await fleet.request("oslo", "prestage", "2.0")
        await gate.reached.wait()
        async with world.run("deployer", deployer(prestaged_keep=1), instance="2", lease_seconds=LEASE):
            end = await fleet.end(operation)
    assert isinstance(end, OperationSucceeded), end
    assert end.fetched_bytes == 8 * MIB
    assert [each.version for each in end.prestaged or ()] == ["2.0"]
    assert sum(count for _, count in sent(fleet, "oslo")) == 16 * MIB
    fleet.assert_each_order_once()


async def test_what_is_said_of_the_site_meanwhile_lets_nobody_forget_what_lies_there(world: World) -> None:
    fleet, gate = Fleet(world), Gate("after the start", only="/fetch_images/")
    await tell_two_releases(fleet)
    async with world.run("deployer", deployer(gate.before, runs=gate.leases), lease_seconds=LEASE) as service:
        await fleet.known(service)
        operation = await fleet.request("oslo", "prestage", "2.0")
        await gate.reached.wait()
        await fleet.sites("oslo", managed=False)
        async with world.run("deployer", deployer(), instance="2", lease_seconds=LEASE):
            end = await fleet.end(operation)
    assert isinstance(end, OperationSucceeded), end
    assert [each.version for each in end.prestaged or ()] == ["2.0"]
    fleet.assert_each_order_once()


async def test_one_that_waits_outlives_every_deployer(world: World) -> None:
    fleet = Fleet(world)
    await fleet.sites("oslo")
    await fleet.release("1.0")
    async with world.run("deployer", deployer(), lease_seconds=LEASE) as service:
        await fleet.known(service)
        operation = await fleet.request("oslo", "prestage", "1.0")
        await until_asked(fleet, "1.0")
    await prepare(fleet, "1.0", item("wheels"))
    async with world.run("deployer", deployer(), instance="2", lease_seconds=LEASE):
        assert isinstance(await fleet.end(operation), OperationSucceeded)
    assert asked(fleet, "1.0") == [operation]


# -- strategies that ask ------------------------------------------------------------------------------------------


def batch(strategy: str, sites: Sequence[str], round_: int = 1, version: str = "1.0") -> RequestOperations:
    """What a strategy asks for its sites."""
    wanted = tuple(Requested(operation_id=f"{strategy}.{site}.{round_}", site=site) for site in sites)
    facts = {"app": APP, "kind": "prestage", "version": version, "round": round_, "operations": wanted}
    return RequestOperations.model_validate(
        {"batch": f"{strategy}/{round_}/{sites[0]}", "strategy_id": strategy, **facts}
    )


async def test_two_strategies_ask_at_the_same_moment_and_are_both_answered_by_one_preparation(world: World) -> None:
    sites = [f"s{n}" for n in range(20)]
    async with ready(world, sites, ["1.0"]) as fleet:
        await asyncio.gather(world.ask(batch("a", sites[:10])), world.ask(batch("b", sites[10:])))
        await until_asked(fleet, "1.0", "a/1")
        await until_asked(fleet, "1.0", "b/1")
        await prepare(fleet, "1.0", item("wheels"))
        for name, some in (("a", sites[:10]), ("b", sites[10:])):
            for site in some:
                assert isinstance(await fleet.end(f"{name}.{site}.1"), OperationSucceeded)
        assert sorted(map(str, asked(fleet, "1.0"))) == ["a/1", "b/1"]


async def test_a_failure_ends_all_of_a_round_at_once_and_is_tried_again_by_the_next_alone(world: World) -> None:
    sites = [f"s{n}" for n in range(5)]
    async with ready(world, sites, ["1.0"]) as fleet:
        await world.ask(batch("a", sites[:3]))
        await world.ask(batch("a", sites[3:4]))
        await fail(fleet, "1.0", "a/1")
        for site in sites[:4]:
            end = await fleet.end(f"a.{site}.1")
            assert isinstance(end, OperationFailed)
            assert end.cause.code == "preparation_failed"
        commands = {e.id for e in world.seen if isinstance(e.data, PrepareRelease)}
        assert len(commands) == 1, "the same command, by whatever batch it was sent"
        await world.ask(batch("a", sites[4:]))  # one more step of the same round
        assert isinstance(await fleet.end("a.s4.1"), OperationFailed)
        assert {e.id for e in world.seen if isinstance(e.data, PrepareRelease)} == commands
        await world.ask(batch("a", sites[:1], round_=2))
        await until_asked(fleet, "1.0", "a/2")
        await prepare(fleet, "1.0", item("wheels"))
        assert isinstance(await fleet.end("a.s0.2"), OperationSucceeded)


async def test_a_failure_of_one_strategy_ends_none_of_another_that_asked_since(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0"]) as fleet:
        await world.ask(batch("a", ["oslo"]))
        await world.ask(batch("b", ["rome"]))
        await fail(fleet, "1.0", "a/1")
        assert isinstance(await fleet.end("a.oslo.1"), OperationFailed)
        await prepare(fleet, "1.0", item("wheels"))
        assert isinstance(await fleet.end("b.rome.1"), OperationSucceeded)


async def test_a_batch_that_is_not_prepared_is_taken_again_without_a_second_effect(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        assert (await world.ask(batch("a", ["oslo"]))).result == {}  # type: ignore[union-attr]
        again = batch("a", ["oslo"]).model_copy(update={"batch": "a/1/again"})
        assert OperationsTaken.model_validate((await world.ask(again)).result).refused == ()  # type: ignore[union-attr]
        await prepare(fleet, "1.0", item("wheels"))
        assert isinstance(await fleet.end("a.oslo.1"), OperationSucceeded)
        assert sent(fleet, "oslo") == [("fetch", 5 * MIB)]
