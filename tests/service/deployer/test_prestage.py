"""Prestage: what a release brings lies on its site before it is needed, is not sent again, and goes by policy."""

from collections.abc import Sequence

import pytest

from services.deployer.drivers import Broken, Order, Progress
from shared.messages.catalog import ContentNote
from shared.messages.deployer import CancelOperation, OperationFailed, OperationProgressed, OperationSucceeded
from tests.service.deployer.fleet import Fleet, Gate
from tests.service.deployer.fleet import ready as plain
from tests.service.deployer.prepared import MIB, asked, fail, item, prepare, prestaging, sent, until_asked
from tests.service.deployer.test_deletion import deleted
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service


def versions(end: OperationSucceeded | OperationFailed) -> list[tuple[str, bool]]:
    """What lies prestaged on the site."""
    return [(each.version, each.complete) for each in end.prestaged or ()]


async def test_a_prestage_sends_what_the_release_brings_and_leaves_the_deployment_as_it_is(world: World) -> None:
    async with prestaging(world, ["oslo"], ["1.0", "2.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        end = await fleet.do("oslo", "prestage", "2.0")
        assert isinstance(end, OperationSucceeded), end
        assert (end.version, end.status, end.from_version, end.to_version) == ("1.0", "operational", "1.0", "2.0")
        assert [way.action for way in end.plan] == ["fetch_packages", "fetch_images"]
        assert end.fetched_bytes == 8 * MIB
        assert [(p.version, p.bytes, p.items, p.complete) for p in end.prestaged or ()] == [("2.0", 8 * MIB, 2, True)]
        assert fleet.running("oslo") == {"web": "1.0"}


async def test_a_later_update_of_a_prestaged_site_fetches_nothing_and_its_plan_says_so(world: World) -> None:
    async with plain(world, ["oslo", "rome"], ["1.0"]) as fleet:
        await fleet.release("2.0", simulated("web", packages_bytes=5 * MIB))
        await fleet.known(fleet.service)
        await prepare(fleet, "2.0", item("wheels"))
        for site in ("oslo", "rome"):
            await fleet.do(site, "apply", "1.0")
        await fleet.do("oslo", "prestage", "2.0")
        warm, cold = await fleet.do("oslo", "update", "2.0"), await fleet.do("rome", "update", "2.0")
        assert (warm.fetched_bytes, cold.fetched_bytes) == (0, 5 * MIB)
        assert "prestaged 20" in warm.plan[0].reason
        assert "prestaged" not in cold.plan[0].reason
        assert sent(fleet, "oslo") == [("apply", 0), ("fetch", 5 * MIB), ("apply", 0)]


async def test_a_second_prestage_sends_nothing(world: World) -> None:
    async with prestaging(world, ["oslo"], ["1.0"]) as fleet:
        assert (await fleet.do("oslo", "prestage", "1.0")).fetched_bytes == 8 * MIB
        again = await fleet.do("oslo", "prestage", "1.0")
        assert again.fetched_bytes == 0
        assert "all of it lies there" in again.plan[0].reason
        assert versions(again) == [("1.0", True)]


async def test_an_app_that_was_never_there_is_prestaged_and_stays_new(world: World) -> None:
    async with prestaging(world, ["oslo"], ["1.0"]) as fleet:
        end = await fleet.do("oslo", "prestage", "1.0")
        assert (end.version, end.status) == (None, "new")
        assert (await fleet.do("oslo", "apply", "1.0")).fetched_bytes == 0


async def test_a_phase_that_has_nothing_to_do_is_skipped_and_says_why(world: World) -> None:
    async with plain(world, ["oslo"], ["1.0"]) as fleet:
        await prepare(fleet, "1.0", item("wheels"), notes=[ContentNote(component="web", text="nodes pull images")])
        await fleet.release("3.0", simulated("web", sites={"oslo": "fail"}))
        end = await fleet.do("oslo", "prestage", "1.0")
        assert isinstance(end, OperationSucceeded)
        await prepare(fleet, "3.0", item("other"), item("image", kind="image"))
        failed = await fleet.do("oslo", "prestage", "3.0")
        assert isinstance(failed, OperationFailed)
        assert [(p.name, p.outcome) for p in failed.phases] == [
            ("precheck", "done"),
            ("prepare", "done"),
            ("packages", "failed"),
        ]
        assert (failed.recovered, failed.status, versions(failed)) == (True, "new", [("1.0", True), ("3.0", False)])


async def test_what_is_kept_no_longer_goes_but_never_what_runs_or_is_the_way_back(world: World) -> None:
    async with prestaging(world, ["oslo"], ["1.0", "2.0", "3.0", "4.0", "5.0"]) as fleet:
        for version in ("1.0", "2.0"):
            await fleet.do("oslo", "prestage", version)
            await fleet.do("oslo", "apply", version)
        assert versions(await fleet.do("oslo", "prestage", "3.0")) == [("1.0", True), ("2.0", True), ("3.0", True)]
        assert len(versions(await fleet.do("oslo", "prestage", "4.0"))) == 4
        end = await fleet.do("oslo", "prestage", "5.0")
        assert versions(end) == [("1.0", True), ("2.0", True), ("4.0", True), ("5.0", True)]
        assert [(w.action, w.reason) for w in end.plan][-1] == ("discard", "2 items of 3.0, kept no longer")
        fleet.devices.journal.catch_up()
        assert len(fleet.devices.journal.holds("oslo")) == 8


class Uncleaned(Gate):
    """Devices that let nothing go as long as it `fails`."""

    def __init__(self) -> None:
        super().__init__("nowhere")
        self.fails = True

    async def poll(self, orders: Sequence[Order]) -> Sequence[Progress]:
        found = await super().poll(orders)
        failed = Broken("discard_failed", "its disk is read-only")
        return [failed if self.fails and o.action == "discard" else p for o, p in zip(orders, found, strict=True)]


async def test_a_cleaning_that_fails_leaves_a_success_that_says_so_and_is_made_up_for_by_the_next(world: World) -> None:
    devices = Uncleaned()
    async with prestaging(world, ["oslo"], ["1.0", "2.0", "3.0"], drive=devices.before) as fleet:
        for version in ("1.0", "2.0"):
            await fleet.do("oslo", "prestage", version)
        end = await fleet.do("oslo", "prestage", "3.0")
        assert isinstance(end, OperationSucceeded)
        assert [(p.name, p.outcome) for p in end.phases][-1] == ("clean", "failed")
        assert "its disk is read-only" in end.phases[-1].detail
        assert versions(end) == [("1.0", False), ("2.0", True), ("3.0", True)]
        devices.fails = False
        again = await fleet.do("oslo", "prestage", "3.0")
        assert versions(again) == [("2.0", True), ("3.0", True)]
        assert [(p.name, p.outcome) for p in again.phases][-1] == ("clean", "done")


async def test_of_a_version_that_was_deleted_and_published_again_the_new_content_is_sent(world: World) -> None:
    async with prestaging(world, ["oslo", "rome"], ["1.0", "2.0"]) as fleet:
        assert (await fleet.do("oslo", "prestage", "2.0")).fetched_bytes == 8 * MIB
        await deleted(fleet, "2.0")
        await fleet.release("2.0", bundle_sha256="f" * 64, release_id="another")
        await fleet.known(fleet.service)
        operation = await fleet.request("rome", "prestage", "2.0")
        await until_asked(fleet, "2.0", operation)
        await prepare(fleet, "2.0", item("other", 2 * MIB), bundle="f" * 64)
        end = await fleet.end(operation)
        assert (end.fetched_bytes, versions(end)) == (2 * MIB, [("2.0", True)])


async def test_a_preview_says_what_would_be_sent_and_sends_nothing(world: World) -> None:
    async with prestaging(world, ["oslo"], ["1.0"]) as fleet:
        answer = await fleet.answer("oslo", "prestage", "1.0", preview=True)
        assert [(way["action"], way["reason"]) for way in answer.result["plan"]] == [
            ("fetch_packages", "1 package, 5.0 MiB"),
            ("fetch_images", "1 image, 3.0 MiB"),
        ]
        assert fleet.journal() == []


# -- the preparation ----------------------------------------------------------------------------------------------


async def waits(fleet: Fleet, site: str, version: str) -> str:
    """A prestage that waits for the preparation."""
    operation = await fleet.request(site, "prestage", version)
    await until_asked(fleet, version, operation)
    return operation


async def test_a_prestage_waits_until_its_release_is_prepared_and_says_so(world: World) -> None:
    async with plain(world, ["oslo"], ["1.0"]) as fleet:
        operation = await waits(fleet, "oslo", "1.0")
        assert await fleet.refused("oslo", "apply", "1.0") == ["site_busy"]
        await prepare(fleet, "1.0", item("wheels"))
        assert isinstance(await fleet.end(operation), OperationSucceeded)
        assert asked(fleet, "1.0") == [operation]


async def test_a_failed_preparation_ends_it_at_once_with_the_cause_and_another_tries_again(world: World) -> None:
    async with plain(world, ["oslo"], ["1.0"]) as fleet:
        operation = await waits(fleet, "oslo", "1.0")
        await fail(fleet, "1.0", operation)
        end = await fleet.end(operation)
        assert isinstance(end, OperationFailed)
        assert (end.cause.code, end.status, end.recovered) == ("preparation_failed", "new", True)
        assert "the registry does not answer" in end.cause.message
        assert [(p.name, p.outcome) for p in end.phases] == [("prepare", "failed")]
        again = await waits(fleet, "oslo", "1.0")
        await prepare(fleet, "1.0", item("wheels"))
        assert isinstance(await fleet.end(again), OperationSucceeded)


async def test_one_that_waits_can_be_cancelled(world: World) -> None:
    async with plain(world, ["oslo"], ["1.0"]) as fleet:
        operation = await waits(fleet, "oslo", "1.0")
        await fleet.world.ask(CancelOperation(operation_id=operation, site="oslo"))
        end = await fleet.end(operation)
        assert isinstance(end, OperationFailed)
        assert end.cause.code == "cancelled"


async def test_one_that_waits_is_told_of_and_ends_when_its_time_is_up_with_what_it_waited_for(world: World) -> None:
    async with plain(world, ["oslo"], ["1.0"]) as fleet:
        operation = await fleet.request("oslo", "prestage", "1.0", timeout_seconds=3)
        told = await world.until(OperationProgressed, lambda e: e.operation_id == operation)
        assert (told.phase, told.percent) == ("prepare", 0)
        end = await fleet.end(operation)
        assert isinstance(end, OperationFailed)
        assert end.cause.code == "timeout"
        assert "1.0 had not been prepared" in end.cause.message
