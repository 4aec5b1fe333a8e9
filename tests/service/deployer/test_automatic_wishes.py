"""What is meant to be done by itself, between two transactions: nothing is lost, nothing is done for what is gone."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.deployer.automatic import store, survey_store
from services.deployer.automatic.triggers import occurred
from shared.messages.automatic import Switches
from shared.messages.base import Cause, CommandAccepted, CommandRejected
from shared.messages.deployer import (
    AutomaticRequested,
    ClearFailedRelease,
    DriftFound,
    FailedReleaseChanged,
    ReapplyApp,
)
from shared.process.db import connect_pool
from tests.service.deployer.fleet import APP, ready
from tests.service.deployer.test_automatic import breaks
from tests.support.components import simulated
from tests.support.lock_orders import SOMEBODY_WAITS
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = pytest.mark.service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WHY = Cause(code="drift", message="not as it was left")
HAPPENED = occurred("alarm_cleared", alarm=["disk-full"])
BEGUN = "update automatic_wish set operation_id = 'o1'"
RUN = (
    "insert into site_run (id, site, kind, state, go_on, prereleases, timeout_seconds, actor, correlation_id,"
    " started_at, look_at) values ('r1', 'oslo', 'update', 'running', false, false, 60, '', '', now(), now())"
)
ITEM = (
    "insert into site_run_item (run_id, position, app, kind, state, operation_id, request)"
    " values ('r1', 1, 'shop', 'update', 'waiting', 'o1', '{}')"
)
OFFLINE = "update availability set availability = 'offline', failed = 2, cause = '{}' where site = 'oslo'"


async def wishes(pool: Any) -> Sequence[Any]:
    return [tuple(row) for row in await pool.fetch("select site, operation_id, events <> '[]' from automatic_wish")]


async def test_what_begins_behind_others_counts_as_under_way_until_its_turn_comes(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        pool = fleet.service.pool
        await survey_store.wish(pool, [("oslo", APP, WHY)], NOW)
        for statement in (BEGUN, RUN, ITEM):
            await pool.execute(statement)
        await survey_store.free_lost(pool)
        assert await wishes(pool) == [("oslo", "o1", False)]
        await pool.execute("update site_run_item set state = 'left'")
        await survey_store.free_lost(pool)
        assert await wishes(pool) == [("oslo", None, False)]


async def test_what_happens_while_an_operation_ends_has_its_turn_afterwards(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        pool = fleet.service.pool
        await survey_store.wish(pool, [("oslo", APP, WHY)], NOW)
        await pool.execute(BEGUN)
        async with pool.acquire() as one, pool.acquire() as other:
            async with one.transaction():
                assert await survey_store.wish_of_sites(one, [("oslo", HAPPENED)], [APP], NOW) == 1

                async def end() -> None:
                    async with other.transaction():
                        await survey_store.end_wishes(other, ["o1"])

                ending = asyncio.create_task(end())
                await until_so(lambda: pool.fetchval(SOMEBODY_WAITS))
            await ending
        assert await wishes(pool) == [("oslo", None, True)]


async def test_what_succeeded_and_met_nothing_new_is_wished_no_more(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        pool = fleet.service.pool
        await survey_store.wish(pool, [("oslo", APP, WHY), ("oslo", "other", WHY)], NOW)
        await pool.execute(BEGUN + " where app = 'shop'")
        await survey_store.end_wishes(pool, ["o1"])
        assert [row["app"] for row in await pool.fetch("select app from automatic_wish")] == ["other"]


async def test_nothing_is_done_by_itself_to_a_site_that_was_removed_nor_to_its_successor(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0"]) as fleet:
        pool = fleet.service.pool
        await survey_store.wish(pool, [("oslo", APP, WHY), ("rome", APP, WHY)], datetime.now(UTC) + timedelta(days=1))
        await fleet.forget("oslo")
        await fleet.known(fleet.service)
        assert await wishes(pool) == [("rome", None, False)]


async def test_nothing_goes_by_itself_on_a_site_that_is_offline_before_it_is_back(world: World) -> None:
    async with ready(world, ["bern", "oslo"], ["1.0"]) as fleet:
        for site in ("bern", "oslo"):
            await fleet.do(site, "apply", "1.0")
        pool = fleet.service.pool
        await pool.execute(OFFLINE)
        await world.ask(ReapplyApp(app=APP))
        begun = await world.until(AutomaticRequested, lambda event: event.site == "bern")
        await fleet.end(begun.operation_id)
        await until_so(lambda: pool.fetchval("select count(*) = 1 from automatic_wish"))
        assert not await survey_store.any_wish_due(pool)
        assert await pool.fetchval("select tries from automatic_wish where site = 'oslo'") == 0
        assert [event.site for event in world.events(AutomaticRequested)] == ["bern"]
        await pool.execute("update availability set availability = 'unknown', failed = 0, cause = null")
        await world.until(AutomaticRequested, lambda event: event.site == "oslo")


async def test_an_app_is_applied_again_also_where_its_release_was_withdrawn(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        await fleet.withdraw("1.0")
        await fleet.known(fleet.service)
        assert isinstance(await world.ask(ReapplyApp(app=APP)), CommandAccepted)
        begun = await world.until(AutomaticRequested)
        assert (begun.kind, begun.version, begun.cause.code) == ("apply", "1.0", "on_demand")
        assert (await fleet.end(begun.operation_id)).status == "operational"


async def test_what_was_given_up_is_tried_again_as_soon_as_something_else_is_to_be_done(deployer_database: str) -> None:
    async with await connect_pool(deployer_database) as pool:

        async def stays_given_up(code: str, message: str) -> bool:
            """After it was given up for what is so, and this is to be done."""
            await pool.execute(
                "update automatic_wish set given_up = true, tries = 3, due_at = now() + interval '1 hour'"
            )
            await survey_store.wish(pool, [("oslo", APP, Cause(code=code, message=message))], NOW)
            rows = await pool.fetch("select given_up, tries, due_at < now() as due from automatic_wish")
            assert [tuple(row) for row in rows] in ([(True, 3, False)], [(False, 0, True)])
            return bool(rows[0]["given_up"])

        await survey_store.wish(pool, [("oslo", APP, Cause(code="newer_release", message="to 2.0"))], NOW)
        assert await stays_given_up("newer_release", "to 2.0")
        assert not await stays_given_up("newer_release", "to 2.1")
        assert not await stays_given_up("drift_found", "web: it fell 3 s ago")
        assert await stays_given_up("drift_found", "web: it fell 4 s ago")


async def test_drift_is_put_right_where_an_update_was_given_up(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        pool = fleet.service.pool
        await fleet.do("oslo", "apply", "1.0")
        await breaks(fleet, "oslo")
        newer = Cause(code="newer_release", message="there is a newer release: 2.0")
        await survey_store.wish(pool, [("oslo", APP, newer)], datetime.now(UTC) + timedelta(days=1))
        await pool.execute("update automatic_wish set given_up = true, tries = 3")
        await store.put_behaviour(pool, APP, Switches(desired_state="deployed"), 1)  # a command would clear it
        await survey_store.look_soon(pool)
        begun = await world.until(AutomaticRequested)
        assert (begun.kind, begun.cause.code) == ("recover", "drift_found")
        assert (await fleet.end(begun.operation_id)).status == "operational"
        assert [site.then for event in world.events(DriftFound) for site in event.sites] == ["put_right"]


async def test_who_clears_a_release_has_tried_again_what_was_given_up_before_it_touched_a_site(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        pool, clear = fleet.service.pool, ClearFailedRelease(app=APP, version="1.0")
        await survey_store.wish(pool, [("oslo", APP, WHY)], datetime.now(UTC) + timedelta(days=1))
        await pool.execute("update automatic_wish set given_up = true, tries = 3")
        answer = await world.ask(clear)
        assert isinstance(answer, CommandAccepted), answer
        assert answer.result == {"app": APP, "version": "1.0", "failures": 0}
        assert not world.events(FailedReleaseChanged)
        await until_so(lambda: pool.fetchval("select not exists (select from automatic_wish where given_up)"))
        refused = await world.ask(clear)
        assert isinstance(refused, CommandRejected), "there is nothing to clear any more"
        assert [fault.code for fault in refused.faults] == ["not_failed"]


async def test_who_is_to_look_soon_looks_again_also_where_he_is_at_it(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        pool, lease, period = fleet.service.pool, timedelta(seconds=60), timedelta(hours=1)
        await pool.execute(
            "update audit_bucket set due_at = now() - interval '1 hour', owner = null, owned_until = null"
        )
        at_rest = await survey_store.claim_bucket(pool, "me", lease)
        assert at_rest is not None
        await survey_store.finish_bucket(pool, "me", at_rest, period)
        at_work = await survey_store.claim_bucket(pool, "me", lease)
        assert at_work is not None
        await survey_store.look_soon(pool)
        await survey_store.finish_bucket(pool, "me", at_work, period)
        due = "select count(*) from audit_bucket where due_at > clock_timestamp()"
        assert await pool.fetchval(due) == 0


async def test_a_failure_that_comes_while_others_are_cleared_counts_alone(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0"]) as fleet:
        pool = fleet.service.pool
        first, second = (store.Failure(APP, "1.0", site, f"o-{site}", WHY, NOW) for site in ("oslo", "rome"))
        await store.add_failures(pool, [first])
        async with pool.acquire() as one, pool.acquire() as other:
            async with one.transaction():
                cleared = await store.clear_failures(one, APP, "1.0", [])

                async def fail() -> list[store.Standing]:
                    async with other.transaction():
                        return await store.add_failures(other, [second])

                failing = asyncio.create_task(fail())
                await until_so(lambda: pool.fetchval(SOMEBODY_WAITS))
            (standing,) = await failing
        assert cleared is not None
        assert [(each.nth, each.failures) for each in (cleared, standing)] == [(2, 0), (3, 1)]


async def test_of_all_that_is_due_on_a_site_the_most_important_app_goes_first(world: World) -> None:
    apps = {"alpha": "reporting", "kappa": "critical", "omega": "optional"}
    async with ready(world, ["bern", "oslo"], []) as fleet:
        for app, importance in apps.items():
            rules = {"importance": importance}
            await fleet.release("1.0", simulated(f"{app}-web"), app=app, release_id=f"{app}-1.0", rules=rules)
        await fleet.known(fleet.service)
        for site in ("bern", "oslo"):
            for app in apps:
                await fleet.do(site, "apply", "1.0", app=app)
        pool = fleet.service.pool
        await pool.execute("update automatic_pause set until = now() + interval '1 hour'")
        for app in apps:
            await world.ask(ReapplyApp(app=app))
        await pool.execute("update automatic_pause set until = '-infinity'")
        for site in ("bern", "oslo"):
            first = await world.until(AutomaticRequested, lambda event, s=site: event.site == s)  # type: ignore[misc]
            assert first.app == "kappa"


async def test_a_release_that_failed_on_many_sites_is_one_row_for_who_looks(deployer_database: str) -> None:
    async with await connect_pool(deployer_database) as pool, pool.acquire() as conn:
        await conn.execute(
            "insert into release_failure select 'shop', v, 's' || n, 'o', '{}', now()"
            " from (values ('1.0', 3), ('1.1', 2)) as r (v, most), lateral generate_series(1, most) n"
        )
        rows = await survey_store.SQL.fetch(conn, "barred_of", apps=["shop", "other"], threshold=3)
        assert [tuple(row) for row in rows] == [("shop", "1.0")]
        assert await survey_store.barred(conn, ["shop"], 2) == {("shop", "1.0"), ("shop", "1.1")}
