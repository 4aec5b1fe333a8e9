"""Runs over sites and what goes by itself, while deployers are killed with SIGKILL again and again."""

import asyncio
import signal
from typing import Any

import pytest

from shared.messages.base import CommandAccepted
from shared.messages.deployer import (
    AutomaticRequested,
    OperationSucceeded,
    RequestAll,
    SetAppBehaviour,
    SiteRunChanged,
)
from tests.service.deployer.fleet import APP, Fleet, deployer
from tests.service.deployer.test_takeover import killed_in_the_end
from tests.support.components import simulated
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]
KILLS = 3


async def test_a_run_comes_to_its_end_whoever_is_killed_and_begins_nothing_twice(world: World) -> None:
    fleet, apps = Fleet(world), [f"app-{n}" for n in range(5)]
    await fleet.sites("oslo")
    for app in apps:
        about: dict[str, Any] = {"app": app}
        await fleet.release("1.0", simulated(name=app), release_id=f"{app}-1.0", **about)
        await fleet.release("2.0", simulated(name=app, seconds=(0.4, 0.8)), release_id=f"{app}-2.0", **about)
    async with world.run("deployer", deployer()) as service:
        await fleet.known(service)
        for app in apps:
            await fleet.do("oslo", "apply", "1.0", app=app)
    async with world.run("deployer", deployer(runs=None)):
        answer = await world.ask(RequestAll(site="oslo", kind="update"))
        assert isinstance(answer, CommandAccepted), answer
        for kill in range(KILLS):
            async with killed_in_the_end(world) as process:
                await world.until(SiteRunChanged, lambda run, n=kill: done(run) > n or run.state == "done")  # type: ignore[misc]
                process.send_signal(signal.SIGKILL)
        async with world.run("deployer", deployer(), instance="2"):
            report = await world.until(SiteRunChanged, lambda run: run.finished_at is not None)
    assert (report.state, done(report)) == ("done", len(apps))
    assert fleet.running("oslo") == dict.fromkeys(apps, "2.0")
    fleet.assert_each_order_once()


def done(run: SiteRunChanged) -> int:
    return sum(item.state == "updated" for item in run.items)


async def test_what_goes_by_itself_is_begun_once_on_each_site_whoever_is_killed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_DEPLOYER_AUDIT_SECONDS", "0.5")
    monkeypatch.setenv("BELAY_DEPLOYER_AUTOMATIC_AT_ONCE", "2")
    fleet, sites = Fleet(world), [f"s{n}" for n in range(8)]
    await fleet.sites(*sites)
    await fleet.release("1.0")
    await fleet.release("2.0", simulated(seconds=(0.3, 0.6)))
    async with world.run("deployer", deployer()) as service:
        await fleet.known(service)
        await asyncio.gather(*(fleet.do(site, "apply", "1.0") for site in sites))
    async with world.run("deployer", deployer(runs=None)):
        switch = SetAppBehaviour.model_validate({"app": APP, "switches": {"auto_update": True}})
        assert isinstance(await world.ask(switch), CommandAccepted)
        for kill in range(KILLS):
            async with killed_in_the_end(world) as process:
                async with world.news:
                    await world.news.wait_for(lambda n=kill: len(updated(world)) > n)  # type: ignore[misc]
                process.send_signal(signal.SIGKILL)
        async with world.run("deployer", deployer(audit_seconds=0.5), instance="2"):
            for site in sites:
                await world.until(OperationSucceeded, lambda e, s=site: (e.site, e.version) == (s, "2.0"))  # type: ignore[misc]
    begun = [event.site for event in world.events(AutomaticRequested)]
    assert sorted(begun) == sorted(sites)
    fleet.assert_each_order_once()


def updated(world: World) -> list[str]:
    return [event.site for event in world.events(OperationSucceeded) if event.version == "2.0"]
