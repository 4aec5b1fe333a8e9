"""How sites are: whether they answer, maintenance, and alarms that people and programs raise and clear."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from services.strategy_orchestrator import store
from services.strategy_orchestrator.app import wire
from services.strategy_orchestrator.strategies import Candidate
from shared.messages.base import CommandAccepted, CommandRejected, Message
from shared.messages.deployer import AvailabilityChanged, Cause, SiteAvailability
from shared.messages.strategy import (
    AlarmCleared,
    AlarmRaised,
    ChangeSites,
    ClearAlarm,
    RaiseAlarm,
    RegisterSites,
    RemoveSites,
    Selection,
    Site,
    SitesChanged,
)
from shared.messages.words import Availability, Severity
from shared.process.service import Service
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told(site: str, nth: int, availability: str = "online", was: str = "unknown", **facts: str) -> AvailabilityChanged:
    cause = Cause(code="refused", message="connection refused") if availability == "offline" else None
    states = {"availability": Availability(availability), "was": Availability(was), "cause": cause}
    one = SiteAvailability.model_validate(
        {"site": site, "nth": nth, "since": NOW, "seen_at": NOW, "facts": facts, **states}
    )
    return AvailabilityChanged(bucket=1, sites=(one,), at=NOW)


async def candidate(service: Service, name: str) -> Candidate:
    async with service.pool.acquire() as conn:
        return (await store.sites.candidates(conn, "", Selection(sites=(name,))))[0]


async def accepted(world: World, *commands: Message) -> None:
    for command in commands:
        answer = await world.ask(command)
        assert isinstance(answer, CommandAccepted), answer


async def faults(world: World, command: Message) -> list[tuple[str, str]]:
    answer = await world.ask(command)
    assert isinstance(answer, CommandRejected), answer
    return [(fault.code, fault.field) for fault in answer.faults]


def raised(site: str, alarm: str, **facts: Any) -> RaiseAlarm:
    said = {"severity": Severity.MAJOR, "management_affecting": True}
    return RaiseAlarm.model_validate({"site": site, "alarm": alarm, **said, **facts})


async def test_what_is_said_last_of_a_site_counts_in_whatever_order_it_comes(world: World) -> None:
    async with world.run(NAME, wire) as service:
        await accepted(world, RegisterSites(sites=(Site(name="oslo"), Site(name="bern"))))
        for event in (told("oslo", 3, "offline", "online"), told("oslo", 2), told("atlantis", 1), told("bern", 1)):
            await world.send(event)

        async def known() -> bool:
            return (await candidate(service, "bern")).availability == "online"

        await until_so(known)
        oslo = await candidate(service, "oslo")
        assert (oslo.availability, oslo.cause) == ("offline", "connection refused")
        await world.send(told("oslo", 4, "online", "offline"))

        async def back() -> bool:
            return (await candidate(service, "oslo")).availability == "online"

        await until_so(back)
        assert (await candidate(service, "oslo")).cause is None


async def test_sites_are_taken_into_maintenance_by_selection_and_told_of(world: World) -> None:
    async with world.run(NAME, wire) as service:
        await accepted(world, RegisterSites(sites=(Site(name="oslo", labels={"zone": "a"}), Site(name="bern"))))
        await accepted(world, ChangeSites(selection=Selection(labels={"zone": "a"}), maintenance=True))
        event = await world.until(SitesChanged, lambda e: e.sites[0].maintenance)
        assert [site.name for site in event.sites] == ["oslo"]
        assert (await candidate(service, "oslo")).maintenance
        assert not (await candidate(service, "bern")).maintenance
        await accepted(world, RegisterSites(sites=(Site(name="oslo"),)))  # whole: what is left out has its default
        assert not (await candidate(service, "oslo")).maintenance


async def test_an_alarm_that_is_raised_twice_is_one_and_is_as_it_was_said_last(world: World) -> None:
    async with world.run(NAME, wire) as service:
        await accepted(world, RegisterSites(sites=(Site(name="oslo"),)))
        minor = raised("oslo", "fan", severity=Severity.MINOR, management_affecting=False)
        await accepted(world, raised("oslo", "fan"), raised("oslo", "fan"), raised("oslo", "disk"), minor)
        assert (await candidate(service, "oslo")).alarms == ("disk",)
        await world.until(AlarmRaised, lambda e: e.severity == Severity.MINOR)
        events = world.events(AlarmRaised)
        assert [(e.alarm, e.affecting) for e in events] == [
            ("fan", ("fan",)), ("disk", ("disk", "fan")), ("fan", ("disk",)),
        ]  # fmt: skip
        assert events[0].raised_at == events[2].raised_at


async def test_an_alarm_is_cleared_once_and_what_is_not_there_is_told(world: World) -> None:
    async with world.run(NAME, wire) as service:
        await accepted(world, RegisterSites(sites=(Site(name="oslo"),)))
        await accepted(world, raised("oslo", "fan"), ClearAlarm(site="oslo", alarm="fan"))
        assert (await candidate(service, "oslo")).alarms == ()
        assert await faults(world, ClearAlarm(site="oslo", alarm="fan")) == [("unknown_alarm", "alarm")]
        assert await faults(world, ClearAlarm(site="atlantis", alarm="fan")) == [("unknown_site", "site")]
        assert await faults(world, raised("atlantis", "fan")) == [("unknown_site", "site")]
        assert len(world.events(AlarmCleared)) == 1


async def test_alarms_raised_and_cleared_at_once_by_many_end_as_their_order_says(world: World) -> None:
    async with world.run(NAME, wire) as service, world.run(NAME, wire, "2"):
        await accepted(world, RegisterSites(sites=tuple(Site(name=f"s-{n}") for n in range(20))))
        commands = [c for n in range(20) for c in (raised(f"s-{n}", "fan"), raised(f"s-{n}", "disk"))]
        commands += [ClearAlarm(site=f"s-{n}", alarm="fan") for n in range(20)]
        ids = [await world.send(command) for command in commands]
        answers = await asyncio.gather(*map(world.answer, ids))
        assert all(isinstance(answer, CommandAccepted) for answer in answers)
        assert {(await candidate(service, f"s-{n}")).alarms for n in range(20)} == {("disk",)}
        counts = await service.pool.fetch("select distinct alarms from site")
        assert [row["alarms"] for row in counts] == [1]


async def test_a_site_has_a_hundred_alarms_at_most(world: World) -> None:
    async with world.run(NAME, wire):
        await accepted(world, RegisterSites(sites=(Site(name="oslo"),)))
        ids = [await world.send(raised("oslo", f"a-{n}")) for n in range(101)]
        last = [await world.answer(command_id) for command_id in ids][-1]
        assert isinstance(last, CommandRejected)
        assert (last.code, last.faults[0].field) == ("too_many_alarms", "alarm")
        await accepted(world, raised("oslo", "a-7", text="again"))


async def test_a_site_that_comes_again_has_none_of_its_alarms(world: World) -> None:
    async with world.run(NAME, wire) as service:
        site = RegisterSites(sites=(Site(name="oslo"),))
        await accepted(world, site, raised("oslo", "fan"), RemoveSites(names=("oslo",)), site)
        assert (await candidate(service, "oslo")).alarms == ()
        await accepted(world, raised("oslo", "fan"))
        assert (await candidate(service, "oslo")).alarms == ("fan",)


async def test_plans_know_what_drivers_found_of_a_site_and_what_people_told_counts_over_it(world: World) -> None:
    async with world.run(NAME, wire) as service:
        await accepted(world, RegisterSites(sites=(Site(name="oslo", facts={"patches": "P1"}),)))
        await world.send(told("oslo", 1, kubernetes="1.29.10", patches="none"))

        async def known() -> bool:
            return (await candidate(service, "oslo")).facts == {"kubernetes": "1.29.10", "patches": "P1"}

        await until_so(known)
