"""Operations from their command to their end, on real Kafka and PostgreSQL; the devices' journal is the witness."""

from collections.abc import Sequence

import asyncpg
import pytest

from services.deployer.drivers import Order
from services.deployer.drivers.simulated.driver import SimulatedDriver
from shared.core.transaction import Transaction
from shared.messages.deployer import OperationFailed, OperationProgressed, OperationSucceeded
from tests.service.deployer.fleet import ready
from tests.service.deployer.test_secrets import put
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service


class Prophetic(SimulatedDriver):
    """Devices that say what an order would change, and print the password that they were given."""

    def before(self, _: SimulatedDriver) -> "Prophetic":
        return self

    async def foresee(self, orders: Sequence[Order]) -> Sequence[Sequence[str]]:
        return [[f"keys: {order.connection['password'].get_secret_value()}", "bulb: off -> on"] for order in orders]


async def test_a_release_is_applied_and_updated_and_rolled_back_and_removed(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet:
        applied = await fleet.do("oslo", "apply", "1.0")
        assert isinstance(applied, OperationSucceeded)
        assert (applied.version, applied.status) == ("1.0", "operational")
        assert fleet.running("oslo") == {"web": "1.0"}
        updated = await fleet.do("oslo", "update", "2.0")
        assert (updated.from_version, updated.version) == ("1.0", "2.0")
        assert fleet.running("oslo") == {"web": "2.0"}
        back = await fleet.do("oslo", "rollback")
        assert [way.action for way in back.plan] == ["rollback"]
        assert fleet.running("oslo") == {"web": "1.0"}
        removed = await fleet.do("oslo", "remove")
        assert (removed.version, removed.status) == (None, "removed")
        assert fleet.running("oslo") == {}


async def test_an_operation_that_takes_no_time_leaves_no_write_but_its_result(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        operation = await fleet.request("oslo", "apply", "1.0")
        await fleet.end(operation)
        about_it = [e for e in world.seen if getattr(e.data, "operation_id", None) == operation]
        assert [(type(e.data).__name__, e.sequence) for e in about_it] == [("OperationSucceeded", 1)]
        assert about_it[0].correlation_id == operation


async def test_a_failed_update_returns_to_the_release_that_was_there_and_tells_the_evidence(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.release("2.0", simulated("web", sites={"oslo": "fail"}))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        failed = await fleet.do("oslo", "update", "2.0")
        assert isinstance(failed, OperationFailed)
        assert failed.recovered
        assert (failed.cause.code, failed.version, failed.status) == ("failed", "1.0", "operational")
        assert fleet.running("oslo") == {"web": "1.0"}
        assert failed.last_lines
        assert [way.component for way in failed.plan] == ["web"]
        assert [phase.name for phase in failed.phases] == ["precheck", "deploy", "recover_deploy"]


async def test_a_site_that_could_not_be_recovered_can_be_mended_by_any_operation(world: World) -> None:
    async with ready(world, ["oslo", "rome", "bonn", "kyiv"], ["1.0", "2.0"]) as fleet:
        mending = {
            "oslo": ("update", "2.0"),
            "rome": ("apply", "1.0"),
            "bonn": ("recover", None),
            "kyiv": ("remove", None),
        }
        for site in mending:
            await fleet.do(site, "apply", "1.0")
        await fleet.sites(*mending, params={"simulated": "fail"})
        await fleet.known(fleet.service)
        for site in mending:
            lost = await fleet.do(site, "update", "2.0")
            assert isinstance(lost, OperationFailed)
            assert (lost.recovered, lost.status, fleet.running(site)) == (False, "update_error", {})
        await fleet.sites(*mending)
        await fleet.known(fleet.service)
        for site, (kind, version) in mending.items():
            mended = await fleet.do(site, kind, version)
            assert isinstance(mended, OperationSucceeded), mended
            assert fleet.running(site) == ({"web": mended.version} if mended.version else {})


async def test_a_first_apply_that_fails_leaves_nothing_on_the_site(world: World) -> None:
    async with ready(world, ["oslo"], []) as fleet:
        db, web = simulated("db"), simulated("web", sites={"oslo": "crash"})
        await fleet.release("1.0", db, web)
        await fleet.known(fleet.service)
        failed = await fleet.do("oslo", "apply", "1.0")
        assert isinstance(failed, OperationFailed)
        assert (failed.recovered, failed.version, failed.status) == (True, None, "new")
        assert failed.cause.code == "crashed"
        assert fleet.running("oslo") == {}
        assert await fleet.refused("oslo", "update", "1.0") == ["nothing_deployed"]


async def test_components_that_the_new_release_lacks_are_removed_and_come_back_with_a_rollback(world: World) -> None:
    async with ready(world, ["oslo"], []) as fleet:
        await fleet.release("1.0", simulated("web"), simulated("worker"))
        await fleet.release("2.0", simulated("web"), simulated("queue"))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        updated = await fleet.do("oslo", "update", "2.0")
        assert {way.component: way.action for way in updated.plan} == {
            "web": "apply",
            "queue": "apply",
            "worker": "remove",
        }
        assert fleet.running("oslo") == {"web": "2.0", "queue": "2.0"}
        back = await fleet.do("oslo", "rollback")
        assert {way.component: way.action for way in back.plan} == {
            "web": "rollback",
            "worker": "apply",
            "queue": "remove",
        }
        assert fleet.running("oslo") == {"web": "1.0", "worker": "1.0"}


async def test_a_component_whose_content_did_not_change_is_not_touched(world: World) -> None:
    async with ready(world, ["oslo"], []) as fleet:
        for version in ("1.0", "2.0"):
            new = simulated("web", seed=int(version[0]))
            await fleet.release(version, simulated("db"), new, bundle_sha256="a" * 64)
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        operation = await fleet.request("oslo", "update", "2.0")
        updated = await fleet.end(operation)
        assert [(way.component, way.action) for way in updated.plan] == [("db", "keep"), ("web", "apply")]
        assert fleet.effects(operation) == [("forward/web", "started"), ("forward/web", "ended")]


async def test_a_preview_shows_the_plan_and_does_nothing(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        answer = await fleet.answer("oslo", "update", "2.0", preview=True)
        [way] = answer.result["plan"]
        assert (way["component"], way["action"], way["reason"]) == ("web", "apply", "release 2.0 was not here before")
        assert await fleet.service.pool.fetchval("select count(*) from operation where finished_at is null") == 0
        updated = await fleet.do("oslo", "update", "2.0")
        assert way.pop("changes") == []
        assert [w.model_dump() for w in updated.plan] == [way]


async def test_a_preview_tells_what_a_driver_foresees_without_the_values_of_secrets(world: World) -> None:
    devices = Prophetic(world.home / "devices")
    async with ready(world, [], ["1.0"], drive=devices.before) as fleet:
        await fleet.sites("oslo", params={"password": {"secret": "oslo"}})
        await fleet.known(fleet.service)
        await put(world, "oslo", "a secret value")
        answer = await fleet.answer("oslo", "apply", "1.0", preview=True)
        assert [way["changes"] for way in answer.result["plan"]] == [["keys: ***", "bulb: off -> on"]]


async def test_an_operation_that_lasts_tells_how_far_it_has_come(world: World) -> None:
    async with ready(world, ["oslo"], [], progress_seconds=0.1) as fleet:
        await fleet.release("1.0", simulated("web", seconds=(0.5, 0.5)))
        await fleet.known(fleet.service)
        operation = await fleet.request("oslo", "apply", "1.0")
        await fleet.end(operation)
        heard = [(e.sequence, e.data) for e in world.seen if isinstance(e.data, OperationProgressed)]
        told = [(sequence, data) for sequence, data in heard if data.operation_id == operation]
        assert 1 <= len(told) <= 5
        assert [sequence for sequence, _ in told] == list(range(1, len(told) + 1))
        percents = [data.percent for _, data in told]
        assert percents == sorted(percents)
        assert {(data.phase, data.status) for _, data in told} == {("deploy", "applying")}


async def test_a_thousand_sites_are_done_in_a_few_batches_each_once(world: World) -> None:
    sites = [f"site-{n}" for n in range(1_000)]
    async with ready(world, sites[:500], ["1.0"]) as fleet:
        await fleet.sites(*sites[500:])
        await fleet.known(fleet.service)
        operations = await fleet.request_all(sites, "apply", "1.0")
        for operation in operations:
            assert isinstance(await fleet.end(operation), OperationSucceeded)
        fleet.assert_each_order_once()
        assert {line["site"] for line in fleet.journal()} == set(sites)


async def test_a_number_is_used_once_though_the_answer_to_its_commit_was_lost(world: World) -> None:
    async with ready(world, ["oslo"], [], progress_seconds=0.1) as fleet:
        await fleet.release("1.0", simulated("web", seconds=(0.5, 0.5), fail=1.0))
        await fleet.known(fleet.service)
        ledger, lost = fleet.service.ledger, []
        wake = ledger._wake

        def lose_the_first_that_tells(tx: Transaction) -> None:
            wake(tx)
            if not lost and b"operation_progressed" in repr(tx.outbox).encode():
                lost.append(tx)
                raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

        ledger._wake = lose_the_first_that_tells  # type: ignore[method-assign]
        operation = await fleet.request("oslo", "apply", "1.0")
        await fleet.end(operation)
        told = {e.id: e.sequence for e in world.seen if getattr(e.data, "operation_id", "") == operation}
        assert lost
        assert sorted(told.values()) == list(range(1, len(told) + 1))
