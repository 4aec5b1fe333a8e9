"""What the deployer refuses, over Kafka; and that what comes twice has one effect."""

from typing import Any

import pytest

from shared.messages.base import CommandAccepted, CommandRejected
from shared.messages.deployer import (
    OperationFailed,
    OperationsSucceeded,
    OperationsTaken,
    Requested,
    RequestOperation,
    RequestOperations,
)
from shared.messages.strategy import Site, SitesChanged, SitesHeld, SitesReleased, SitesRemoved
from shared.messages.words import OperationKind
from tests.service.deployer.fleet import ready
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service


async def test_a_command_that_comes_twice_is_carried_out_once_and_answered_the_same(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        command = RequestOperation(site="oslo", app="shop", kind=OperationKind.APPLY, version="1.0")
        for _ in range(3):
            await world.send(command, message_id="op-1")
        await fleet.end("op-1")
        await world.send(command, message_id="op-1")
        await world.send(command.model_copy(update={"version": None}), message_id="op-1")
        await world.ask(command)  # its answer comes after all the others: same site, same partition
        codes = [getattr(answer, "code", "accepted") for answer in world.answers("op-1")]
        assert codes == ["accepted"] * 4 + ["command_id_reused"]
        assert fleet.effects("op-1") == [("forward/web", "started"), ("forward/web", "ended")]


async def test_whoever_comes_second_to_a_site_is_refused_until_the_first_has_ended(world: World) -> None:
    async with ready(world, ["oslo"], []) as fleet:
        await fleet.release("1.0", simulated("web", seconds=(0.3, 0.3)))
        await fleet.known(fleet.service)
        first = await fleet.request("oslo", "apply", "1.0")
        assert await fleet.refused("oslo", "apply", "1.0") == ["site_busy"]
        await fleet.end(first)
        assert await fleet.request("oslo", "apply", "1.0")


async def test_of_many_commands_for_one_site_in_one_batch_one_is_taken(world: World) -> None:
    async with ready(world, ["oslo"], []) as fleet:
        await fleet.release("1.0", simulated("web", seconds=(1, 1)))
        await fleet.known(fleet.service)
        answers = await fleet.ask_all(["oslo"] * 20, "apply", "1.0")
        assert sum(isinstance(answer, CommandAccepted) for answer in answers) == 1
        assert {a.code for a in answers if not isinstance(a, CommandAccepted)} == {"site_busy"}


async def test_a_site_held_by_a_strategy_takes_only_that_strategys_operations(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0"]) as fleet:
        await fleet.tell(SitesHeld(strategy_id="s-1", strategy="night-shift", names=("oslo",)))
        await fleet.known(fleet.service)
        assert await fleet.refused("oslo", "apply", "1.0") == ["site_held"]
        assert await fleet.refused("oslo", "apply", "1.0", strategy_id="s-2") == ["site_held"]
        await fleet.do("rome", "apply", "1.0")
        await fleet.do("oslo", "apply", "1.0", strategy_id="s-1")
        await fleet.tell(SitesReleased(strategy_id="s-1"))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "remove")


async def test_another_spelling_of_a_version_means_the_release_that_is_there(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0.0", "2.0"]) as fleet:
        assert (await fleet.do("oslo", "apply", "v1.0")).version == "1.0.0"
        assert await fleet.refused("oslo", "update", "1.0") == ["already_current"]
        assert (await fleet.do("oslo", "update", "2.0.0")).to_version == "2.0"
        assert (await fleet.do("oslo", "rollback", "1")).version == "1.0.0"
        assert await fleet.refused("oslo", "update", "3") == ["unknown_release"]


async def test_a_batch_begins_what_may_begin_and_names_what_may_not(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0"]) as fleet:
        answer = await world.ask(batch_of("s/1.1", "oslo", "rome", "atlantis", "oslo"))
        assert isinstance(answer, CommandAccepted)
        refused = OperationsTaken.model_validate(answer.result).refused
        assert [(r.operation_id, r.faults[0].code) for r in refused] == [
            ("s.2.1", "unknown_site"),
            ("s.3.1", "site_busy"),
        ]
        assert {(await fleet.end(f"s.{n}.1")).site for n in (0, 1)} == {"oslo", "rome"}


async def test_what_a_strategy_succeeds_in_is_told_together_and_what_fails_alone(world: World) -> None:
    async with ready(world, ["oslo", "rome", "bonn"], ["1.0"]) as fleet:
        await fleet.release("2.0", simulated("web", fail=1.0))
        await fleet.known(fleet.service)
        await world.ask(batch_of("s/1.1", "oslo", "rome"))
        await fleet.end("s.0.1")
        (told,) = world.events(OperationsSucceeded)
        assert (told.strategy_id, told.version, told.key) == ("s", "1.0", "s")
        assert {(one.operation_id, one.site, one.nth) for one in told.operations} == {
            ("s.0.1", "oslo", 1),
            ("s.1.1", "rome", 1),
        }
        await fleet.do("oslo", "remove")
        again = await fleet.do("oslo", "apply", "2.0", strategy_id="s")
        assert isinstance(again, OperationFailed)
        assert again.nth == 3
        rows = await fleet.service.pool.fetch("select id, sequence from operation where site <> 'bonn' order by id")
        assert {row["sequence"] for row in rows if row["id"].startswith("s.")} == {0}


async def test_a_batch_that_comes_again_by_another_command_has_no_second_effect(world: World) -> None:
    async with ready(world, ["oslo"], []) as fleet:
        await fleet.release("1.0", simulated("web", seconds=(0.3, 0.3)))
        await fleet.known(fleet.service)
        first = await world.ask(batch_of("s/1.1", "oslo"))
        while_it_runs = await world.ask(batch_of("s/1.2", "oslo"))
        await fleet.end("s.0.1")
        after = await world.ask(batch_of("s/1.3", "oslo"))
        assert [getattr(answer, "result", None) for answer in (first, while_it_runs, after)] == [{}, {}, {}]
        assert fleet.effects("s.0.1") == [("forward/web", "started"), ("forward/web", "ended")]


async def test_an_operation_is_never_taken_for_another_one_of_the_same_id(world: World) -> None:
    """Anybody may give an operation of theirs the id that a step's will have: the step would wait for ever."""
    async with ready(world, ["oslo", "rome"], ["1.0"]) as fleet:
        by_hand = RequestOperation(site="rome", app="shop", kind=OperationKind.APPLY, version="1.0")
        assert isinstance(await world.ask(by_hand, message_id="s.0.1"), CommandAccepted)
        await fleet.end("s.0.1")
        answer = await world.ask(batch_of("s/1.1", "oslo", "rome", again=True))
        (refused,) = OperationsTaken.model_validate(answer.result).refused
        assert [(refused.operation_id, fault.code) for fault in refused.faults] == [("s.0.1", "operation_exists")]
        assert (await fleet.end("s.1.1")).site == "rome"
        theirs = await world.ask(by_hand.model_copy(update={"site": "oslo"}), message_id="s.1.1")
        assert isinstance(theirs, CommandRejected)
        assert theirs.code == "operation_exists"
        await fleet.do("oslo", "apply", "1.0")


def batch_of(batch: str, *sites: str, attempt: int = 1, **more: Any) -> RequestOperations:
    operations = tuple(Requested(operation_id=f"s.{n}.{attempt}", site=site) for n, site in enumerate(sites))
    facts = {"app": "shop", "kind": OperationKind.APPLY, "version": "1.0", "operations": operations, **more}
    return RequestOperations(batch=batch, strategy_id="s", **facts)


async def test_a_batch_may_lead_each_site_to_a_release_of_its_own(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0", "2.0", "3.0"]) as fleet:
        for version in ("1.0", "2.0", "3.0"):
            for site in ("oslo", "rome"):
                await fleet.do(site, "apply", version)
        ways = (("s.0.1", "oslo", "1.0"), ("s.1.1", "rome", "2.0"))
        operations = tuple(Requested(operation_id=o, site=site, version=version) for o, site, version in ways)
        await world.ask(batch_of("s/1.1", kind="rollback", version=None, operations=operations))
        ends = [await fleet.end(operation) for operation, _, _ in ways]
        assert [(end.version, end.history) for end in ends] == [("1.0", ()), ("2.0", ("1.0",))]


async def test_a_strategy_deploys_what_runs_already_only_if_it_says_again(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        refused = await world.ask(batch_of("s/1.1", "oslo"))
        (one,) = OperationsTaken.model_validate(refused.result).refused
        assert [(one.operation_id, fault.code) for fault in one.faults] == [("s.0.1", "already_current")]
        assert (await world.ask(batch_of("s/1.2", "oslo", attempt=2, again=True))).result == {}
        assert (await fleet.end("s.0.2")).version == "1.0"


async def test_everything_unknown_is_named(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet:
        assert await fleet.refused("nowhere", "apply", "9.9") == ["unknown_site", "unknown_release"]
        assert await fleet.refused("oslo", "apply", "1.0", app="ghost") == ["unknown_app"]
        assert await fleet.refused("oslo", "update", "9.9") == ["unknown_release", "nothing_deployed"]
        await fleet.withdraw("2.0")
        await fleet.known(fleet.service)
        assert await fleet.refused("oslo", "apply", "2.0") == ["release_withdrawn"]
        await fleet.tell(SitesRemoved(names=("oslo",)))
        await fleet.known(fleet.service)
        assert await fleet.refused("oslo", "apply", "1.0") == ["unknown_site"]


async def test_a_refused_request_leaves_no_trace(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.refused("oslo", "rollback")
        await fleet.refused("oslo", "apply")
        for table in ("operation", "deployment", "job", "component_revision"):
            assert await fleet.service.pool.fetchval(f"select count(*) from {table}") == 0, table  # noqa: S608


async def test_a_repeated_event_does_not_undo_a_later_one(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.tell(SitesHeld(strategy_id="s-1", strategy="night-shift", names=("oslo",)))
        held = fleet.sequence
        await fleet.tell(SitesReleased(strategy_id="s-1"))
        await world.send(SitesHeld(strategy_id="s-1", strategy="night-shift", names=("oslo",)), sequence=held)
        await world.send(SitesChanged(sites=(Site(name="oslo", connections={"process": {}}),)), sequence=1)
        await fleet.sites("rome")
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
