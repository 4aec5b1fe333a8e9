"""All apps of a site brought up to date or taken back with one report; what needs others begins behind them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from services.deployer.site_runs.planning import Run
from services.deployer.site_runs.store import Origin, claim_runs, insert_runs
from shared.messages.base import CommandAccepted, CommandRejected
from shared.messages.deployer import (
    CancelAll,
    CancelOperation,
    OperationFailed,
    RequestAll,
    SiteRunChanged,
)
from shared.messages.rules import Rules
from shared.messages.strategy import SitesHeld
from shared.process.db import connect_pool
from tests.service.deployer.fleet import Fleet, deployer, ready
from tests.support.components import simulated
from tests.support.world import World

pytestmark = pytest.mark.service
ENDED = ("done", "failed", "aborted")


async def publish(fleet: Fleet, app: str, version: str, component: Any = None, **rules: Any) -> None:
    """A release of another app than the fleet's own."""
    about = {"app": app, "release_id": f"{app}-{version}", "rules": Rules.model_validate(rules)}
    await fleet.release(version, component or simulated(name=f"{app}-web"), **about)


@asynccontextmanager
async def site(world: World, *apps: tuple[Any, ...], **wire: Any) -> AsyncIterator[Fleet]:
    """A site `oslo`, and releases as (app, version, rules)."""
    async with ready(world, ["oslo"], [], **wire) as fleet:
        for app, version, *rest in apps:
            rules, component = (*rest, {}, None)[:2] if len(rest) < 2 else rest
            await publish(fleet, app, version, component, **rules)
        await fleet.known(fleet.service)
        yield fleet


async def deploy(fleet: Fleet, app: str, version: str, kind: str = "apply") -> Any:
    return await fleet.do("oslo", kind, version, app=app)


async def ran(world: World, run_id: str, state: str | None = None) -> SiteRunChanged:
    """The report of a run."""
    return await world.until(
        SiteRunChanged, lambda run: run.run_id == run_id and (run.state == state if state else run.state in ENDED)
    )


def told(run: SiteRunChanged) -> list[tuple[str, str, str | None, str | None]]:
    return [(i.app, i.state, i.to_version, i.cause.code if i.cause else None) for i in run.items]


async def test_all_apps_go_to_their_newest_release_by_importance_and_what_others_need_first(world: World) -> None:
    critical, reporting = {"importance": "critical"}, {"importance": "reporting"}
    needs = {"importance": "critical", "depends_on": [{"app": "graph", "versions": ">=1.0"}]}
    apps = [
        ("graph", "1.0", reporting), ("graph", "1.1", reporting), ("shop", "1.0"), ("shop", "1.10"), ("shop", "1.9"),
        ("shop", "2.0rc1"), ("core", "1.0", critical), ("core", "1.1", needs),
        ("disk", "3.0", {"importance": "storage"}),
    ]  # fmt: skip
    async with site(world, *apps) as fleet:
        for app, version in (("graph", "1.0"), ("core", "1.0"), ("shop", "1.0"), ("disk", "3.0")):
            await deploy(fleet, app, version)
        answer = await world.ask(RequestAll(site="oslo", kind="update"), actor="ada")
        assert isinstance(answer, CommandAccepted)
        report = await ran(world, answer.command_id)
        assert (report.state, report.requested_by, report.kind) == ("done", "ada", "update")
        assert told(report) == [
            ("core", "updated", "1.1", None), ("disk", "left", None, "no_newer_release"),
            ("shop", "updated", "1.10", None), ("graph", "updated", "1.1", None),
        ]  # fmt: skip
        back = await ran(world, (await world.ask(RequestAll(site="oslo", kind="rollback"))).command_id)
        assert told(back) == [
            ("shop", "updated", "1.0", None), ("disk", "left", None, "no_previous_release"),
            ("core", "updated", "1.0", None), ("graph", "updated", "1.0", None),
        ]  # fmt: skip


async def test_a_run_stops_at_a_failure_or_goes_on_and_says_what_was_left(world: World) -> None:
    bad = simulated(name="web", sites={"oslo": "fail"})
    apps = [("a", "1.0"), ("a", "2.0", {}, bad), ("b", "1.0"), ("b", "2.0")]
    async with site(world, *apps) as fleet:
        for app in "ab":
            await deploy(fleet, app, "1.0")
        stopped = await ran(world, (await world.ask(RequestAll(site="oslo", kind="update"))).command_id)
        assert stopped.state == "failed"
        assert told(stopped) == [("a", "failed", "2.0", "failed"), ("b", "left", None, "stopped")]
        on = await ran(world, (await world.ask(RequestAll(site="oslo", kind="update", on_failure="go_on"))).command_id)
        assert told(on) == [("a", "failed", "2.0", "failed"), ("b", "updated", "2.0", None)]
        assert on.state == "failed"


async def test_a_run_is_refused_where_it_cannot_begin_with_every_reason(world: World) -> None:
    async with site(world, ("a", "1.0")) as fleet:
        await deploy(fleet, "a", "1.0")
        answer = await world.ask(RequestAll(site="nowhere", kind="update"))
        assert isinstance(answer, CommandRejected)
        assert answer.code == "unknown_site"
        await fleet.tell(SitesHeld(strategy_id="s", strategy="spring", names=("oslo",)))
        await fleet.known(fleet.service)
        answer = await world.ask(RequestAll(site="oslo", kind="update", apps=("b",)))
        assert isinstance(answer, CommandRejected)
        assert [fault.code for fault in answer.faults] == ["site_held", "nothing_deployed"]


async def test_a_cancelled_run_turns_back_what_it_does_and_leaves_the_rest(world: World) -> None:
    apps = [("a", "1.0"), ("a", "2.0", {}, simulated(name="web", seconds=(60, 60))), ("b", "1.0"), ("b", "2.0")]
    async with site(world, *apps) as fleet:
        for app in "ab":
            await deploy(fleet, app, "1.0")
        run_id = (await world.ask(RequestAll(site="oslo", kind="update"))).command_id
        await world.until(SiteRunChanged, lambda r: r.run_id == run_id and r.items[0].state == "running")
        await fleet.begun(f"{run_id}.0")
        assert isinstance(await world.ask(CancelAll(site="oslo", run_id=run_id, reason="wrong site")), CommandAccepted)
        report = await ran(world, run_id)
        assert (report.state, told(report)) == (
            "aborted", [("a", "failed", "2.0", "cancelled"), ("b", "left", None, "cancelled")],
        )  # fmt: skip
        again = await world.ask(CancelAll(site="oslo", run_id=run_id))
        assert isinstance(again, CommandRejected)
        assert again.code == "already_finished"


NEEDS_DB = {"depends_on": [{"app": "db", "versions": ">=1.2", "action": "apply"}]}


async def test_what_lacks_an_app_begins_behind_it_and_both_are_ordinary_operations(world: World) -> None:
    async with site(world, ("db", "1.0"), ("db", "1.10"), ("shop", "2.0", NEEDS_DB)) as fleet:
        answer = await fleet.answer("oslo", "apply", "2.0", app="shop")
        assert answer.result["first"] == [{"app": "db", "version": "1.10"}]
        end = await fleet.end(answer.command_id)
        assert (end.status, end.version) == ("operational", "2.0")
        assert fleet.running("oslo") == {"db-web": "1.10", "shop-web": "2.0"}
        report = await ran(world, f"{answer.command_id}.first")
        assert told(report) == [("db", "updated", "1.10", None), ("shop", "updated", "2.0", None)]
        assert await fleet.refused("oslo", "remove", app="db") == ["needed_by_others"]
        await fleet.do("oslo", "remove", app="shop")
        assert (await fleet.do("oslo", "remove", app="db")).status == "removed"


HANGS = {"component": simulated(name="db-web", sites={"oslo": "hang"}), "timeout_seconds": 1}
"""A release that says by when it is there, and never is: nobody waits an hour for that."""


WRITTEN_BEFORE = (
    "insert into site_run (id, site, kind, state, go_on, prereleases, timeout_seconds, actor, correlation_id,"
    " started_at, look_at) values ($1, $1, 'update', 'running', false, false, $2, '', '', now(), now())"
)


async def test_an_app_that_comes_first_has_the_time_of_its_own_release(world: World) -> None:
    async with site(world, ("shop", "2.0", NEEDS_DB)) as fleet:
        await publish(fleet, "db", "1.10", **HANGS)
        await fleet.known(fleet.service)
        end = await fleet.end((await fleet.answer("oslo", "apply", "2.0", app="shop")).command_id)
        assert isinstance(end, OperationFailed)
        assert (end.cause.code, "db" in end.cause.message) == ("timeout", True)


async def test_each_app_of_a_run_has_the_time_of_its_release_unless_it_is_said(world: World) -> None:
    async with site(world, ("db", "1.0"), ("a", "1.0")) as fleet:
        await publish(fleet, "db", "2.0", **HANGS)
        await publish(fleet, "a", "2.0", simulated(name="web", sites={"oslo": "hang"}), timeout_seconds=3600)
        await fleet.known(fleet.service)
        await deploy(fleet, "db", "1.0")
        unsaid = await ran(world, (await world.ask(RequestAll(site="oslo", kind="update"))).command_id)
        assert told(unsaid) == [("db", "failed", "2.0", "timeout")]
        await deploy(fleet, "a", "1.0")
        asked = RequestAll(site="oslo", kind="update", apps=("a",), timeout_seconds=1)
        assert told(await ran(world, (await world.ask(asked)).command_id)) == [("a", "failed", "2.0", "timeout")]


async def test_this_version_and_the_one_before_read_each_others_runs_whoever_said_a_time_or_not(
    deployer_database: str,
) -> None:
    async with await connect_pool(deployer_database) as pool, pool.acquire() as conn:
        asked = {"unsaid": None, "short": 60, "an-hour": 3600}
        runs = [(Run(site, site, "update", "running", ()), Origin(False, n)) for site, n in asked.items()]
        await insert_runs(conn, runs, datetime.now(UTC))
        read_before = {row["id"]: row["timeout_seconds"] for row in await conn.fetch("select * from site_run")}
        assert read_before == {"unsaid": 3600, "short": 60, "an-hour": 3600}
        for site, seconds in {"before-unsaid": 3600, "before-short": 60}.items():
            await conn.execute(WRITTEN_BEFORE, site, seconds)
        found = {held.run.id: held.origin.timeout_seconds for held in await claim_runs(conn, 10)}
        assert found == {**asked, "before-unsaid": None, "before-short": 60}


async def test_where_what_comes_first_fails_the_operation_that_was_asked_for_is_told_so(world: World) -> None:
    bad = simulated(name="db-web", sites={"oslo": "fail"})
    async with site(world, ("db", "1.10", {}, bad), ("shop", "2.0", NEEDS_DB)) as fleet:
        answer = await fleet.answer("oslo", "apply", "2.0", app="shop")
        end = await fleet.end(answer.command_id)
        assert isinstance(end, OperationFailed)
        assert (end.cause.code, end.status, "db" in end.cause.message) == ("failed", "new", True)
        assert (await ran(world, f"{answer.command_id}.first")).state == "failed"
        assert fleet.running("oslo") == {}


async def test_an_operation_that_waits_behind_others_can_be_cancelled(world: World) -> None:
    slow = simulated(name="db-web", seconds=(60, 60))
    async with site(world, ("db", "1.10", {}, slow), ("shop", "2.0", NEEDS_DB)) as fleet:
        answer = await fleet.answer("oslo", "apply", "2.0", app="shop")
        await fleet.begun(f"{answer.command_id}.first.0")
        cancel = CancelOperation(site="oslo", operation_id=answer.command_id, reason="never mind")
        assert isinstance(await world.ask(cancel), CommandAccepted)
        end = await fleet.end(answer.command_id)
        assert isinstance(end, OperationFailed)
        assert (end.cause.code, end.status) == ("cancelled", "new")
        assert (await ran(world, f"{answer.command_id}.first")).state == "aborted"


async def test_every_reason_why_a_release_does_not_fit_is_told_at_once_and_nothing_is_touched(world: World) -> None:
    rules = {
        "site": {"facts": {"kubernetes": ">=1.30"}, "patches": ["P7"]},
        "depends_on": [{"app": "db"}, {"app": "log", "action": "warn"}],
        "excludes": [{"app": "till"}],
    }
    async with site(world, ("shop", "2.0", rules), ("till", "1.0"), ("db", "1.0")) as fleet:
        await deploy(fleet, "till", "1.0")
        codes = await fleet.refused("oslo", "apply", "2.0", app="shop")
        assert codes == ["platform_unfit", "patches_missing", "dependency_missing", "excluded"]
        await fleet.sites("oslo", facts={"kubernetes": "1.30.1", "patches": "P7 P8"})
        await fleet.known(fleet.service)
        await fleet.do("oslo", "remove", app="till")
        await deploy(fleet, "db", "1.0")
        answer = await fleet.answer("oslo", "apply", "2.0", app="shop")
        assert [("log" in notice) for notice in answer.result["notices"]] == [True]
        end = await fleet.end(answer.command_id)
        assert any("log" in notice for way in end.plan for notice in way.notices)


async def test_people_may_not_ask_for_what_a_release_forbids(world: World) -> None:
    async with site(world, ("shop", "1.0", {"behaviour": {"forbidden": ["remove"]}})) as fleet:
        await deploy(fleet, "shop", "1.0")
        assert await fleet.refused("oslo", "remove", app="shop") == ["operation_forbidden"]


async def test_a_run_goes_on_in_another_replica_when_its_own_is_killed(world: World) -> None:
    slow = simulated(name="web", seconds=(1, 1))
    async with site(world, ("a", "1.0"), ("a", "2.0", {}, slow), ("b", "1.0"), ("b", "2.0")) as fleet:
        for app in "ab":
            await deploy(fleet, app, "1.0")
        run_id = (await world.ask(RequestAll(site="oslo", kind="update"))).command_id
        await fleet.begun(f"{run_id}.0")
    async with world.run("deployer", deployer(), instance="2"):
        report = await ran(world, run_id)
        assert told(report) == [("a", "updated", "2.0", None), ("b", "updated", "2.0", None)]
        fleet.assert_each_order_once()


async def test_the_same_run_asked_for_twice_begins_once(world: World) -> None:
    async with site(world, ("a", "1.0"), ("a", "2.0", {}, simulated(name="web", seconds=(0.5, 0.5)))) as fleet:
        await deploy(fleet, "a", "1.0")
        commands = [RequestAll(site="oslo", kind="update"), RequestAll(site="oslo", kind="update")]
        ids = await asyncio.gather(*(world.send(command) for command in commands))
        answers = [await world.answer(identifier) for identifier in ids]
        refused = [a.code for a in answers if isinstance(a, CommandRejected)]
        assert refused == ["site_busy"]
        (run_id,) = (a.command_id for a in answers if isinstance(a, CommandAccepted))
        assert (await ran(world, run_id)).state == "done"
