"""Many of a kind are told as one that counts, exactly once, whatever is restarted meanwhile."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from services.notifier import store
from services.notifier.app import wire
from shared.messages.base import Message
from shared.messages.catalog import ReleaseAvailable
from shared.messages.deployer import AvailabilityChanged, SiteAvailability
from shared.messages.notifier import NotificationRaised
from shared.messages.strategy import Site, SitesChanged
from tests.service.notifier.receiver import receiving
from tests.service.notifier.rows import come_true
from tests.service.notifier.test_deliveries import failure
from tests.service.notifier.test_webhooks import _nearby_and_impatient, ended, subscription  # noqa: F401
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service

NOW = datetime(2026, 10, 1, tzinfo=UTC)


def import_of(count: int, size: int = 500) -> list[SitesChanged]:
    """As an import comes: one event for each of its commands."""
    names = [f"site-{number}" for number in range(count)]
    parts = (names[start : start + size] for start in range(0, count, size))
    return [SitesChanged(sites=tuple(Site(name=name) for name in part)) for part in parts]


async def raised(world: World, total: int) -> list[NotificationRaised]:
    """Until the notifications together speak of so many."""
    await world.until(NotificationRaised, lambda _: sum(e.count for e in world.events(NotificationRaised)) >= total)
    return world.events(NotificationRaised)


async def due(service: Any) -> None:
    """The rest that is waited for is over."""
    await service.pool.execute("update timer set due_at = now() where kind = 'tell_batches'")


async def test_an_import_of_10_000_sites_raises_one_notification_that_counts_them(world: World) -> None:
    async with receiving() as receiver, world.run("notifier", wire):
        await world.ask(subscription("ops", receiver.url))
        for event in import_of(10_000):
            await world.send(event, actor="anna")
            await asyncio.sleep(0.02)  # its commands are answered one after another
        (one,) = await raised(world, 10_000)
        assert one.count == 10_000
        assert one.message.startswith("10,000 sites registered or changed: site-")
        await receiver.until(lambda r: bool(r.got))
        assert len(receiver.got) == 1


async def test_what_two_people_import_at_a_time_is_told_apart_and_a_site_changed_twice_counts_once(
    world: World,
) -> None:
    async with world.run("notifier", wire):
        for event in import_of(1_000):
            await world.send(event, actor="anna")
        await world.send(import_of(500)[0], actor="anna")
        await world.send(SitesChanged(sites=(Site(name="oslo"),)), actor="bert")
        found = await raised(world, 1_001)
        assert sorted(one.count for one in found) == [1, 1_000]
        assert "Site oslo registered or changed" in {one.message for one in found}


async def test_a_thousand_sites_that_go_offline_one_after_another_are_one_notification(world: World) -> None:
    async with world.run("notifier", wire) as service:
        for start in range(0, 1_000, 100):
            await world.send(offline(*(f"site-{n}" for n in range(start, start + 100))), message_id=f"m-{start}")
        await world.send(offline("site-0"), message_id="m-0")  # it comes again
        await come_true(service, "select count(*) = 1000 from batched_note")
        await due(service)
        (one,) = await raised(world, 1_000)
        assert (one.count, one.topic, one.link) == (1_000, "warning", "/v1/sites?availability=offline")
        assert one.message.startswith("1,000 sites went offline: site-")


def offline(*names: str) -> AvailabilityChanged:
    states = {"availability": "offline", "was": "online", "since": NOW, "nth": 7}
    sites = tuple(SiteAvailability.model_validate({"site": name, **states}) for name in names)
    return AvailabilityChanged(bucket=1, sites=sites, at=NOW)


async def test_of_thousands_of_failures_the_first_are_told_at_once_and_the_others_together(world: World) -> None:
    async with receiving() as receiver, world.run("notifier", wire):
        await world.ask(subscription("ops", receiver.url))
        for start in range(0, 2_000, 200):
            await asyncio.gather(
                *(
                    world.send(failure(str(n), last_lines=("it broke",)), actor="script")
                    for n in range(start, start + 200)
                )
            )
        found = await raised(world, 2_000)
        assert [one.count for one in found[:5]] == [1] * 5
        assert sum(one.count for one in found) == 2_000
        assert len(found) <= 8
        assert "more operations failed: web on site-" in found[-1].message
        assert found[-1].failures[0].last_lines == ("it broke",)
        await receiver.until(lambda r: len(r.got) == len(found))


def release(version: str) -> ReleaseAvailable:
    return ReleaseAvailable(
        release_id=f"web-{version}", app="web", version=version, scheme="pep440", bundle_sha256="a" * 64,
        bundle_bytes=1, upgrades_from=None, components=(), published_at=ended("x").at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("events", "alone"), [([release(f"1.{n}") for n in range(40)], 3), ([ended(f"s-{n}") for n in range(40)], 10)]
)
async def test_what_a_script_does_by_the_dozen_becomes_one(world: World, events: list[Message], alone: int) -> None:
    async with world.run("notifier", wire) as service:
        for event in events:
            await world.send(event, actor="script")
        await come_true(service, f"select count(*) = {40 - alone} from batched_note")  # noqa: S608 - a number of ours
        await due(service)
        found = await raised(world, 40)
        assert [one.count for one in found] == [1] * alone + [40 - alone]


async def test_a_batch_survives_a_restart_and_two_replicas_tell_it_once(world: World) -> None:
    async with world.run("notifier", wire) as service:
        for event in import_of(2_000):
            await world.send(event, actor="anna")
        await come_true(service, "select count(*) = 2000 from batched_note")
        await service.pool.execute("update timer set due_at = now() + interval '1 hour' where kind = 'tell_batches'")
    async with world.run("notifier", wire, instance="1") as service, world.run("notifier", wire, instance="2"):
        for event in import_of(2_000):  # told again: it is counted once
            await world.send(event, actor="anna")
        (one,) = await raised(world, 2_000)
        assert one.count == 2_000
        await come_true(service, "select count(*) = 0 from batched_note")
        assert await service.pool.fetchval("select count(*) from notification") == 1


async def test_after_a_rest_the_next_ones_are_told_one_by_one_again(world: World) -> None:
    async with world.run("notifier", wire) as service:
        for n in range(8):
            await world.send(failure(f"a-{n}"), actor="script")
        await come_true(service, "select count(*) = 3 from batched_note")
        await due(service)
        await raised(world, 8)
        await service.pool.execute("update note_batch set last_at = now() - interval '2 minutes'")
        await world.send(failure("b"), actor="script")
        found = await raised(world, 9)
        assert found[-1].message.startswith("The update of web on site-b failed")


async def test_whoever_tells_a_batch_has_not_taken_the_timer_of_who_holds_its_subscriptions(world: World) -> None:
    async with receiving() as receiver, world.run("notifier", wire) as service:
        await world.ask(subscription("ops", receiver.url))
        await world.send(offline("site-0"))
        await come_true(service, "select count(*) = 1 from batched_note")
        async with patience(20), service.pool.acquire() as other, other.transaction():
            await store.admit(other, ["log", "ops"], 4, NOW)  # as whoever raises something meanwhile
            await due(service)
            await come_true(service, WAITS_FOR_A_SUBSCRIPTION)
            await other.execute("update timer set due_at = now() where kind = 'tell_batches'")  # as at its end
        await receiver.until(lambda r: bool(r.got))
        assert len(receiver.got) == 1


WAITS_FOR_A_SUBSCRIPTION = """
select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like '%from subscription%')
"""
