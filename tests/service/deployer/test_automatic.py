"""What goes by itself: drift is found, told once and put right; releases come, and a bad one only once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.deployer.automatic import survey_store
from services.deployer.automatic.audit import Audit
from services.deployer.automatic.looking import Found
from services.deployer.automatic.survey import Surveyed
from services.deployer.drivers import Broken, Order
from services.deployer.drivers.simulated.driver import SimulatedDriver
from services.deployer.settings import DeployerSettings
from shared.messages.automatic import ComponentDrift
from shared.messages.base import CommandAccepted
from shared.messages.deployer import (
    AutomaticRequested,
    CancelOperation,
    ClearFailedRelease,
    DriftEnded,
    DriftFound,
    FailedReleaseChanged,
    OperationFailed,
    OperationSucceeded,
    ReapplyApp,
    Requested,
    RequestOperations,
    SetAppBehaviour,
    SetOverrides,
)
from shared.messages.rules import Rules
from shared.messages.strategy import SitesHeld, SitesReleased
from tests.service.deployer.audited import looked_at
from tests.service.deployer.fleet import APP, Fleet, deployer, ready
from tests.support.components import simulated
from tests.support.patience import patience, until_so
from tests.support.world import World

pytestmark = pytest.mark.service
QUICK = {"audit_seconds": 0.4, "automatic_pause_seconds": 0.0, "automatic_again_seconds": 0.05}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_DEPLOYER_AUTOMATIC_PAUSE_SECONDS", "0.2")
    monkeypatch.setenv("BELAY_DEPLOYER_AUTOMATIC_AGAIN_SECONDS", "0.1")
    monkeypatch.setenv("BELAY_DEPLOYER_AUTOMATIC_TRIES", "2")


@asynccontextmanager
async def fleet_of(world: World, sites: Sequence[str], *versions: str, **own: Any) -> AsyncIterator[Fleet]:
    async with ready(world, sites, versions, **{**QUICK, **own}) as fleet:
        yield fleet


async def behave(world: World, **switches: Any) -> None:
    answer = await world.ask(SetAppBehaviour.model_validate({"app": APP, "switches": switches}))
    assert isinstance(answer, CommandAccepted), answer


async def breaks(fleet: Fleet, *sites: str) -> None:
    """Somebody goes to these sites and takes away what runs there, without a word to anybody."""
    devices = SimulatedDriver(fleet.world.home / "devices")
    with devices.journal.writing() as lines:
        for site in sites:
            about = {"site": site, "app": APP, "component": "web", "order": f"by-hand/{site}", "version": None}
            lines.append(
                {
                    "at": "now",
                    "effect": "started",
                    **about,
                    "action": "remove",
                    "fate": "succeed",
                    "began_at": 0.0,
                    "ends_at": 0.0,
                }
            )
            lines.append({"at": "now", "effect": "ended", **about, "action": "remove"})


async def begun(world: World, site: str, code: str) -> AutomaticRequested:
    return await world.until(AutomaticRequested, lambda event: (event.site, event.cause.code) == (site, code))


class Mute(SimulatedDriver):
    """Devices that say nothing while they are mute."""

    mute = False

    def before(self, _: SimulatedDriver) -> "Mute":
        """In place of plain devices."""
        return self

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[Any]:
        return [None] * len(orders) if self.mute else await super().has_revision(orders)

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        return [None] * len(orders) if self.mute else await super().look(orders)


async def test_what_is_not_as_it_was_left_is_told_once_and_told_to_be_over(world: World) -> None:
    devices = Mute(world.home / "devices")
    async with fleet_of(world, ["bern", "oslo"], "1.0.0", drive=devices.before) as fleet:
        await fleet.request_all(["bern", "oslo"], "apply", "1.0.0")
        await world.until(OperationSucceeded, lambda event: event.site == "bern")
        await world.until(OperationSucceeded, lambda event: event.site == "oslo")
        await breaks(fleet, "bern", "oslo")
        await behave(world, audit=True)
        for site in ("bern", "oslo"):
            found = await world.until(DriftFound, lambda event, s=site: s in {each.site for each in event.sites})  # type: ignore[misc]
            (drifted,) = [each for each in found.sites if each.site == site]
            assert (drifted.components[0].component, drifted.components[0].code, drifted.then) == (
                "web",
                "not_well",
                "told",
            )
        devices.mute = True
        await looked_at(fleet, times=1)
        assert not world.events(DriftEnded), "who says nothing does not say that it is well again"
        devices.mute = False
        await fleet.do("oslo", "recover")
        await world.until(DriftEnded, lambda event: event.sites == ("oslo",))
        told = [each.site for event in world.events(DriftFound) for each in event.sites]
        assert sorted(told) == ["bern", "oslo"]
        assert not world.events(AutomaticRequested)


async def test_what_is_to_be_deployed_is_put_right_by_an_ordinary_operation_that_says_why(world: World) -> None:
    async with fleet_of(world, ["oslo"], "1.0.0") as fleet:
        await fleet.do("oslo", "apply", "1.0.0")
        await behave(world, desired_state="deployed")
        await breaks(fleet, "oslo")
        event = await begun(world, "oslo", "drift_found")
        assert (event.kind, "web" in event.cause.message) == ("recover", True)
        assert (await fleet.end(event.operation_id)).status == "operational"
        await world.until(DriftEnded)
        assert fleet.running("oslo") == {"web": "1.0.0"}


async def test_it_is_deployed_where_a_person_says_and_removed_where_it_is_to_be_absent(world: World) -> None:
    async with fleet_of(world, ["bern", "oslo"], "1.0.0", "1.1.0") as fleet:
        await behave(world, desired_state="deployed", deployed_on={"sites": ["oslo"]})
        event = await begun(world, "oslo", "desired_deployed")
        assert (await fleet.end(event.operation_id)).version == "1.1.0"
        await behave(world, desired_state="absent")
        event = await begun(world, "oslo", "desired_absent")
        assert (await fleet.end(event.operation_id)).status == "removed"
        assert not [e for e in world.events(AutomaticRequested) if e.site == "bern"]


async def test_a_bad_release_is_tried_once_and_not_again_until_it_is_cleared(world: World) -> None:
    sites = [f"s{n}" for n in range(6)]
    async with fleet_of(world, sites, "1.0.0", automatic_at_once=1) as fleet:
        await fleet.request_all(sites, "apply", "1.0.0")
        for site in sites:
            await world.until(OperationSucceeded, lambda event, s=site: event.site == s)  # type: ignore[misc]
        await fleet.release("2.0.0", simulated(sites=dict.fromkeys(sites, "fail")))
        await fleet.known(fleet.service)
        await behave(world, auto_update=True)
        failed = await world.until(OperationFailed, lambda event: event.to_version == "2.0.0")
        assert failed.recovered
        barred = await world.until(FailedReleaseChanged, lambda event: event.barred)
        assert (barred.version, barred.failures) == ("2.0.0", 1)
        await fleet.release("2.0.1")  # a better one comes everywhere by itself, and the bad one nowhere
        await fleet.known(fleet.service)
        for site in sites:
            await world.until(OperationSucceeded, lambda event, s=site: (event.site, event.version) == (s, "2.0.1"))  # type: ignore[misc]
        assert sum(e.to_version == "2.0.0" for e in world.events(OperationFailed)) == 1
        assert isinstance(await world.ask(ClearFailedRelease(app=APP, version="2.0.0")), CommandAccepted)


async def test_a_release_that_failed_for_a_person_or_a_strategy_is_not_tried_by_itself(world: World) -> None:
    sites = ["bern", "oslo", "rome"]
    async with fleet_of(world, sites, "1.0.0") as fleet:
        for site in sites:
            await fleet.do(site, "apply", "1.0.0")
        for version in ("2.0.0", "2.1.0"):
            await fleet.release(version, simulated(sites=dict.fromkeys(sites, "fail")))
        await fleet.known(fleet.service)
        await fleet.do("bern", "update", "2.0.0")
        one = Requested(operation_id="s.0.1", site="oslo")
        what: Any = {"batch": "s/1.1", "strategy_id": "s", "app": APP, "kind": "update", "version": "2.1.0"}
        await world.ask(RequestOperations(**what, operations=(one,)))
        for version in ("2.0.0", "2.1.0"):
            await world.until(FailedReleaseChanged, lambda event, v=version: event.barred and event.version == v)  # type: ignore[misc]
        await behave(world, auto_update=True)
        await looked_at(fleet, times=1)
        assert not world.events(AutomaticRequested)
        assert isinstance(await fleet.do("bern", "update", "2.0.0"), OperationFailed)  # people may go there


async def test_what_a_person_cancelled_says_nothing_against_a_release(world: World) -> None:
    async with fleet_of(world, ["oslo"], "1.0.0") as fleet:
        await fleet.release("2.0.0", simulated(seconds=(30, 30)))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0.0")
        operation = await fleet.request("oslo", "update", "2.0.0")
        await fleet.begun(operation)
        await world.ask(CancelOperation(site="oslo", operation_id=operation))
        assert isinstance(await fleet.end(operation), OperationFailed)
        assert await fleet.service.pool.fetchval("select count(*) from release_failure") == 0


async def test_sites_of_a_strategy_are_left_alone_until_it_lets_go(world: World) -> None:
    async with fleet_of(world, ["oslo"], "1.0.0", "1.1.0") as fleet:
        await fleet.do("oslo", "apply", "1.0.0")
        await fleet.tell(SitesHeld(strategy_id="s", strategy="spring", names=("oslo",)))
        await fleet.known(fleet.service)
        await behave(world, auto_update=True)
        await fleet.sites("bern")
        await fleet.known(fleet.service)
        await fleet.service.pool.execute("update audit_bucket set due_at = now()")
        assert not world.events(AutomaticRequested)
        await fleet.tell(SitesReleased(strategy_id="s"))
        event = await begun(world, "oslo", "newer_release")
        assert (await fleet.end(event.operation_id)).version == "1.1.0"


async def test_a_switch_that_is_turned_off_leaves_nothing_to_be_done(world: World) -> None:
    async with fleet_of(world, ["oslo"], "1.0.0", "1.1.0", automatic_at_once=1) as fleet:
        await fleet.do("oslo", "apply", "1.0.0")
        await fleet.service.pool.execute("update automatic_pause set until = now() + interval '1 hour'")
        await behave(world, auto_update=True)
        async with fleet.service.pool.acquire() as conn:
            while not await conn.fetchval("select count(*) from automatic_wish"):
                await fleet.service.pool.execute("select pg_sleep(0.05)")
        await behave(world, auto_update=False)
        await fleet.service.pool.execute("update automatic_pause set until = '-infinity'")
        async with fleet.service.pool.acquire() as conn:
            while await conn.fetchval("select count(*) from automatic_wish"):
                await fleet.service.pool.execute("select pg_sleep(0.05)")
        assert not world.events(AutomaticRequested)


async def test_an_app_is_applied_again_on_its_events_and_on_demand(world: World) -> None:
    filters = {"kubernetes": ">=1.30", "fact": "kubernetes", "label:tier": "edge", "group": "north"}
    rules = {"behaviour": {"reapply_on": [{"event": "kube-upgrade-complete", "filters": filters}]}}
    async with fleet_of(world, ["oslo"]) as fleet:
        await fleet.release("1.0.0", rules=Rules.model_validate(rules))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0.0")
        edge: dict[str, Any] = {"group": "north", "labels": {"tier": "edge"}}
        await fleet.sites("oslo", **edge, facts={"kubernetes": "1.29.9"})
        await fleet.sites("oslo", **edge, facts={"kubernetes": "1.30.1"})
        await fleet.sites("oslo", **edge, facts={"kubernetes": "1.30.1", "rack": "7"})  # hides nothing that came before
        event = await begun(world, "oslo", "facts_changed")
        assert (event.kind, event.version) == ("apply", "1.0.0")
        assert event.cause.message == "facts of its platform changed: kubernetes"
        await fleet.end(event.operation_id)
        assert (await world.ask(ReapplyApp(app=APP, reason="certificates"))).result == {"app": APP, "sites": 1}  # type: ignore[union-attr]
        again = await begun(world, "oslo", "on_demand")
        assert again.cause.message == "certificates"
        await fleet.end(again.operation_id)


async def test_an_event_that_somebody_tells_is_judged_by_what_is_switched(world: World) -> None:
    rules = {"behaviour": {"reapply_on": [{"event": "host-unlock", "filters": {"personality": "controller"}}]}}
    async with fleet_of(world, ["oslo"]) as fleet:
        await fleet.release("1.0.0", rules=Rules.model_validate(rules))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0.0")
        told = ReapplyApp(app=APP, sites=("oslo",), event="host-unlock", carries={"personality": "controller"})

        async def nothing_comes_of(event: ReapplyApp) -> None:
            assert isinstance(await world.ask(event), CommandAccepted)
            await until_so(lambda: fleet.service.pool.fetchval("select not exists (select from automatic_wish)"))
            assert not world.events(AutomaticRequested)

        await nothing_comes_of(told.model_copy(update={"carries": {"personality": "worker"}}))
        await behave(world, reapply=False)
        await nothing_comes_of(told)
        await behave(world, reapply=True)
        await world.ask(told)
        event = await begun(world, "oslo", "host-unlock")
        assert (event.kind, (await fleet.end(event.operation_id)).status) == ("apply", "operational")


async def test_an_app_is_applied_again_when_what_is_set_for_it_changes(world: World) -> None:
    rules = {"behaviour": {"reapply_on": [{"event": "overrides_changed"}]}}
    async with fleet_of(world, ["oslo"]) as fleet:
        await fleet.release("1.0.0", simulated(seconds=(4, 4)), rules=Rules.model_validate(rules))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0.0")
        change = SetOverrides(app=APP, level="site", target="oslo", component="web", values={"seed": 7})
        assert isinstance(await world.ask(change), CommandAccepted)
        event = await begun(world, "oslo", "overrides_changed")

        meanwhile = change.model_copy(update={"values": {"seed": 8}})
        assert isinstance(await world.ask(meanwhile), CommandAccepted)
        assert not [e for e in world.events(OperationSucceeded) if e.operation_id == event.operation_id]
        assert (await fleet.end(event.operation_id)).status == "operational"
        again = await world.until(
            AutomaticRequested, lambda e: e.cause == event.cause and e.operation_id != event.operation_id
        )
        assert (await fleet.end(again.operation_id)).status == "operational"
        assert await fleet.service.pool.fetchval("select count(*) from automatic_wish") == 0


async def test_a_fall_that_cannot_be_put_right_is_given_up_and_told_until_somebody_clears_it(world: World) -> None:
    async with fleet_of(world, ["oslo"], automatic_tries=2) as fleet:
        await fleet.release("1.0.0", simulated(name="web"))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0.0")
        await fleet.tell_site("oslo", {"simulated": {"simulated": "fail"}})
        await fleet.known(fleet.service)
        await breaks(fleet, "oslo")
        await behave(world, desired_state="deployed")
        given_up = await world.until(DriftFound, lambda event: event.sites[0].then == "given_up")
        assert given_up.sites[0].site == "oslo"
        tried = len(world.events(AutomaticRequested))
        await fleet.tell_site("oslo", {"simulated": {}})
        await fleet.known(fleet.service)
        assert len(world.events(AutomaticRequested)) == tried
        await behave(world, audit=True)  # whoever turns a switch lets it be tried again
        await world.until(DriftEnded)


class Late:
    """Looks at oslo, finds it broken, and tells that only when it has been repaired."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.looks = 0

    async def at(self, surveyed: Sequence[Surveyed]) -> Found:
        if not surveyed:
            return {}
        self.looks += 1
        if self.looks > 1:
            return {each.pair: () for each in surveyed}
        await self.fleet.do("oslo", "apply", "1.0.0")
        return {each.pair: (ComponentDrift(component="web", code="not_well", message="fell"),) for each in surveyed}


async def test_what_was_found_before_a_repair_is_no_drift_after_it(world: World) -> None:
    async with fleet_of(world, ["oslo"], "1.0.0", audit_seconds=3_600.0) as fleet:
        await fleet.do("oslo", "apply", "1.0.0")
        await behave(world, desired_state="deployed")
        late: Any = Late(fleet)
        audit = asyncio.create_task(Audit(fleet.service.ledger, late, DeployerSettings(), "late", 60).run())
        async with patience(60):
            while late.looks < 2:  # it is beside the fleet's own audit, which may take the bucket before it
                async with fleet.service.pool.acquire() as conn:
                    await survey_store.look_soon(conn)
                await asyncio.sleep(0.05)
        audit.cancel()
        assert (world.events(DriftFound), world.events(AutomaticRequested)) == ([], [])


async def test_what_was_put_right_is_not_put_right_again_by_whoever_looks_before_the_next_audit(world: World) -> None:
    rules = {"behaviour": {"reapply_on": [{"event": "overrides_changed"}]}}
    async with fleet_of(world, ["oslo"], audit_seconds=3_600.0) as fleet:
        await fleet.release("1.0.0", rules=Rules.model_validate(rules))
        await fleet.known(fleet.service)
        await behave(world, desired_state="deployed", deployed_on={"sites": ["oslo"]})
        first = await begun(world, "oslo", "desired_deployed")
        await fleet.end(first.operation_id)
        change = SetOverrides(app=APP, level="site", target="oslo", component="web", values={"seed": 7})
        assert isinstance(await world.ask(change), CommandAccepted)
        second = await world.until(AutomaticRequested, lambda event: event.operation_id != first.operation_id)
        assert (second.kind, second.cause.code) == ("apply", "overrides_changed")
        await fleet.end(second.operation_id)


async def test_two_replicas_find_it_once_and_what_one_leaves_the_other_does(world: World) -> None:
    async with fleet_of(world, ["oslo"], "1.0.0") as fleet:
        await fleet.do("oslo", "apply", "1.0.0")
        await breaks(fleet, "oslo")
        async with world.run("deployer", deployer(**QUICK), instance="2"):
            await behave(world, desired_state="deployed")
            event = await begun(world, "oslo", "drift_found")
            await fleet.end(event.operation_id)
            await world.until(DriftEnded)
        assert len(world.events(AutomaticRequested)) == 1
        assert sum(len(found.sites) for found in world.events(DriftFound)) == 1
