"""All apps of a site of real processes go up and back with one report, what others need first; each has its port."""

from typing import Any

import pytest

from services.deployer.drivers.process.driver import ProcessDriver
from shared.messages.base import CommandAccepted
from shared.messages.deployer import OperationSucceeded, RequestAll, SiteRunChanged
from shared.messages.rules import Rules
from tests.service.deployer.fleet import Fleet, ready
from tests.support import process_sites as sites
from tests.support.components import as_published
from tests.support.process_sites import Bundles
from tests.support.world import World

pytestmark = pytest.mark.service

NEEDS_DB = {
    "importance": "critical",
    "depends_on": [{"app": "db", "versions": ">=1.5", "action": "apply"}],
    "excludes": [{"app": "till"}],
}
RELEASES: list[tuple[str, str, dict[str, Any]]] = [
    ("db", "1.0", {}), ("db", "1.10", {}), ("shop", "1.0", {"importance": "critical"}), ("shop", "2.0", NEEDS_DB),
    ("till", "1.0", {}), ("log", "1.0", {}), ("log", "1.1", {}),
]  # fmt: skip


async def publish(fleet: Fleet, bundle: str) -> None:
    """All releases. Release 1.1 of `log` says that it is another one."""
    for app, version, rules in RELEASES:
        bad = (app, version) == ("log", "1.1")
        made = sites.component(f"says={'bad' if bad else version}", health={"start_seconds": 3 if bad else 20})
        about = {"app": app, "release_id": f"{app}-{version}", "rules": Rules.model_validate(rules)}
        await fleet.release(version, as_published(made), bundle_sha256=bundle, **about)


async def run_all(world: World, kind: str, **more: Any) -> list[tuple[str, str, str | None, str | None]]:
    """The report of a run over all apps of the site."""
    answer = await world.ask(RequestAll.model_validate({"site": "oslo", "kind": kind, **more}))
    assert isinstance(answer, CommandAccepted), answer
    report = await world.until(
        SiteRunChanged, lambda r: r.run_id == answer.command_id and r.state in ("done", "failed")
    )
    return [(i.app, i.state, i.to_version, i.cause.code if i.cause else None) for i in report.items]


async def test_all_apps_of_a_site_go_up_and_back_and_what_others_need_comes_first(
    world: World, driver: ProcessDriver, bundles: Bundles
) -> None:
    ports = {app: sites.free_port() for app in ("db", "shop", "till", "log")}

    async def answers(*apps: str) -> list[str]:
        return [(await sites.ask(ports[app]))["app"]["version"] for app in apps]

    async with ready(world, [], [], also={"process": driver}, recovery_seconds=60, stop_seconds=20) as fleet:
        await fleet.sites("oslo", driver="process", params={"host": "host-a", "ports": ports})
        await publish(fleet, bundles.make("one"))
        await fleet.known(fleet.service)
        for app in ("db", "shop"):
            assert isinstance(await fleet.do("oslo", "apply", "1.0", app=app), OperationSucceeded)
        assert await run_all(world, "update") == [("db", "updated", "1.10", None), ("shop", "updated", "2.0", None)]
        assert await answers("db", "shop") == ["1.10", "2.0"]
        assert await fleet.refused("oslo", "apply", "1.0", app="till") == ["excluded"]
        assert await run_all(world, "rollback") == [("shop", "updated", "1.0", None), ("db", "updated", "1.0", None)]
        assert await answers("db", "shop") == ["1.0", "1.0"]

        assert isinstance(await fleet.do("oslo", "remove", app="db"), OperationSucceeded)
        answer = await fleet.answer("oslo", "update", "2.0", app="shop")
        assert answer.result["first"] == [{"app": "db", "version": "1.10"}]
        assert isinstance(await fleet.end(answer.command_id), OperationSucceeded)
        assert await answers("db", "shop") == ["1.10", "2.0"]

        assert isinstance(await fleet.do("oslo", "apply", "1.0", app="log"), OperationSucceeded)
        report = await run_all(world, "update")
        assert ("log", "failed", "1.1", "wrong_version") in report
        assert {item for item in report if item[0] != "log"} == {
            ("db", "left", None, "no_newer_release"), ("shop", "left", None, "no_newer_release"),
        }  # fmt: skip
        assert await answers("db", "shop", "log") == ["1.10", "2.0", "1.0"]
