"""Whether sites answer, maintenance and alarms: shown as they were said last, filtered, and asked for over the API."""

from typing import Any

import pytest

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.groups.projection import learn_groups
from services.gateway.resources.secrets.projection import learn_secrets
from services.gateway.resources.sites.projection import learn_sites
from shared.messages import strategy
from shared.messages.deployer import (
    AvailabilityChanged,
    Cause,
    SecretChanged,
    SecretRemoved,
    SiteAvailability,
    SitesChecked,
)
from shared.messages.words import Availability, Severity
from shared.wire.codec import Envelope
from tests.service.gateway.api import gateway
from tests.service.gateway.told import at, running, sites_changed, succeeded
from tests.support.world import World

pytestmark = pytest.mark.service


def answers(site: str, nth: int, second: float, **facts: Any) -> AvailabilityChanged:
    """What the deployer says of one site, in bucket 3."""
    about = {"availability": Availability.ONLINE, "since": at(second), "seen_at": at(second), "checked_at": at(second)}
    one = SiteAvailability.model_validate({"site": site, "nth": nth, **about, **facts})
    return AvailabilityChanged(bucket=3, sites=(one,), at=at(second))


def silent(site: str, nth: int, second: float, **facts: Any) -> AvailabilityChanged:
    cause = Cause(code="refused", message="connection refused")
    return answers(site, nth, second, availability=Availability.OFFLINE, seen_at=at(0), cause=cause, **facts)


def alarm(site: str, name: str, **facts: Any) -> strategy.AlarmRaised:
    said = {"severity": Severity.MAJOR, "management_affecting": True, "affecting": (name,), "raised_at": at(1)}
    return strategy.AlarmRaised.model_validate({"site": site, "alarm": name, **said, **facts})


async def test_a_site_is_shown_as_the_deployer_said_last_in_whatever_order_it_comes(world: World) -> None:
    async with gateway(world) as api:
        await world.send(silent("oslo", 3, 30))
        await world.send(answers("oslo", 2, 20, facts={"os": "Linux"}))  # older news, before the site itself is known
        await world.send(sites_changed("oslo", "bern"), sequence=1)
        shown = await api.shows("/v1/sites/oslo", lambda s: s["availability"] == "offline")
        assert shown["cause"] == {"code": "refused", "message": "connection refused"}
        assert (shown["since"], shown["facts"]) == (at(30).isoformat().replace("+00:00", "Z"), {})
        never_asked = await api.get("/v1/sites/bern")
        assert (never_asked["availability"], never_asked["seen_at"]) == ("unknown", None)
        await world.send(answers("oslo", 4, 40, free_bytes=5_000, facts={"platform": "linux/amd64"}))
        back = await api.shows("/v1/sites/oslo", lambda s: s["availability"] == "online")
        assert (back["cause"], back["free_bytes"], back["facts"]) == (None, 5_000, {"platform": "linux/amd64"})


async def test_a_site_may_be_removed_only_while_nothing_runs_there(world: World) -> None:
    async with gateway(world) as api:
        await world.send(sites_changed("oslo"), sequence=1)
        assert "remove" in (await api.shows("/v1/sites/oslo", lambda s: s["name"]))["actions"]
        await world.send(running("o-1", "oslo", 50))
        busy = await api.shows("/v1/sites/oslo", lambda s: "remove" not in s["actions"])
        assert "change" in busy["actions"]
        await world.send(succeeded("o-1", "oslo"))
        await api.shows("/v1/sites/oslo", lambda s: "remove" in s["actions"])


async def test_the_last_sign_of_life_of_who_is_online_is_that_of_its_bucket(world: World) -> None:
    async with gateway(world) as api:
        await world.send(sites_changed("oslo", "bern", "rome"), sequence=1)
        doubt = Cause(code="refused", message="connection refused")
        for event in (answers("oslo", 1, 10), silent("bern", 1, 10), answers("rome", 1, 10, cause=doubt)):
            await world.send(event)
        await world.send(SitesChecked(bucket=3, at=at(70)))
        await world.send(SitesChecked(bucket=4, at=at(90)))
        seen = await api.shows(
            "/v1/sites/oslo", lambda s: s["seen_at"] and s["seen_at"].startswith("2026-03-01T12:01:10")
        )
        assert seen["checked_at"] == seen["seen_at"]
        assert (await api.get("/v1/sites/bern"))["seen_at"].startswith("2026-03-01T12:00:00")
        assert (await api.get("/v1/sites/rome"))["seen_at"].startswith("2026-03-01T12:00:10")


async def test_alarms_are_shown_until_they_are_cleared_or_their_site_is_removed(world: World) -> None:
    async with gateway(world) as api:
        cleared = strategy.AlarmCleared(site="oslo", alarm="fan", affecting=(), at=at(3))
        story = [
            sites_changed("oslo", "bern"), alarm("oslo", "fan"), alarm("oslo", "disk", severity=Severity.CRITICAL),
            alarm("bern", "fan"), cleared, strategy.SitesRemoved(names=("bern",)), sites_changed("bern"),
        ]  # fmt: skip
        for sequence, event in [*enumerate(story, 1), (2, story[1]), (4, story[3])]:  # the last two come again
            await world.send(event, sequence=sequence)
        await world.send(sites_changed("end"), sequence=9)
        await api.shows("/v1/sites/end", bool)
        oslo, bern = await api.get("/v1/sites/oslo"), await api.get("/v1/sites/bern")
        assert [one["alarm"] for one in oslo["alarms"]] == ["disk"]
        assert bern["alarms"] == []
        listed = (await api.get("/v1/alarms?severity=critical&management_affecting=true&site=oslo"))["items"]
        assert [(one["alarm"], one["actions"]) for one in listed] == [("disk", ["clear"])]
        assert (await api.get("/v1/alarms?severity=minor"))["items"] == []


NORTH = strategy.GroupChanged(name="north", description="", apply_type="serial", max_parallel="1")
THERE = (sites_changed("oslo"), NORTH, SecretChanged(name="key", version=1, at=at(1)), alarm("bern", "fan"))
OVER = (
    strategy.SitesRemoved(names=("oslo",)), strategy.GroupDeleted(name="north"), SecretRemoved(name="key", at=at(2)),
    strategy.AlarmCleared(site="bern", alarm="fan", affecting=(), at=at(2)),
)  # fmt: skip


async def test_what_came_and_went_within_one_batch_is_not_brought_back_when_its_beginning_is_told_again(
    world: World,
) -> None:
    async with gateway(world) as api:
        story = [
            Envelope(data=message, id=f"e-{sequence}", source="/test", time=at(sequence), sequence=sequence)
            for sequence, message in enumerate((sites_changed("bern"), *THERE, *OVER), 1)
        ]
        for batch in (story, story[1 : 1 + len(THERE)]):
            async with api.service.pool.acquire() as conn, conn.transaction():
                for learn in (learn_sites, learn_groups, learn_secrets):
                    await learn(LearningTransaction(conn, "/test", at(3)), batch)
        assert [site["name"] for site in (await api.get("/v1/sites"))["items"]] == ["bern"]
        for resource in ("groups", "secrets", "alarms"):
            assert (await api.get(f"/v1/{resource}"))["items"] == []


FILTERED = {
    "availability=offline": ["a"],
    "availability=unknown": ["c", "d"],
    "maintenance=true": ["c"],
    "managed=false": ["d"],
    "alarms=true": ["b"],
    "alarms=false&availability=unknown&maintenance=false": ["d"],
}


async def test_sites_are_filtered_by_how_they_are(world: World) -> None:
    async with gateway(world) as api:
        await world.send(silent("a", 1, 1))
        await world.send(answers("b", 1, 1))
        events = [
            sites_changed("a", "b"), sites_changed("c", maintenance=True), sites_changed("d", managed=False),
            alarm("b", "fan"), sites_changed("end"),
        ]  # fmt: skip
        for sequence, event in enumerate(events, 1):
            await world.send(event, sequence=sequence)
        await world.send(answers("end", 1, 1))
        await api.shows("/v1/sites?availability=online", lambda page: len(page["items"]) == 2)
        await api.shows("/v1/sites?availability=offline", lambda page: len(page["items"]) == 1)
        for filters, found in FILTERED.items():
            names = [one["name"] for one in (await api.get(f"/v1/sites?{filters}"))["items"] if one["name"] != "end"]
            assert names == found, filters
        refused = await api.ask("GET", "/v1/sites?availability=asleep&maintenance=perhaps")
        assert refused.codes == {("availability", "invalid_field"), ("maintenance", "invalid_field")}


async def test_what_people_told_of_a_platform_counts_over_what_its_drivers_found(world: World) -> None:
    async with gateway(world) as api:
        told = strategy.Site(name="oslo", facts={"kubernetes": "1.30.0"})
        await world.send(strategy.SitesChanged(sites=(told,)), sequence=1)
        await world.send(answers("oslo", 1, 10, facts={"kubernetes": "1.29.2", "os": "Linux"}))
        shown = await api.shows("/v1/sites/oslo", lambda s: s["availability"] == "online")
        assert shown["facts"] == {"kubernetes": "1.30.0", "os": "Linux"}
        assert shown["told_facts"] == {"kubernetes": "1.30.0"}
