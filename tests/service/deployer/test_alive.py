"""Sites are asked whether they answer: told when it changes, by one replica, and nobody waits for those that hang."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from services.deployer.alive.asking import Asking
from services.deployer.alive.checks import Checks
from services.deployer.alive.keeping import no_checks
from services.deployer.app import TOPICS
from services.deployer.drivers import REACH_SECONDS, Broken, Driver, Reachable, Reached
from services.deployer.drivers.registry import DriverRegistry
from services.deployer.drivers.simulated.driver import SimulatedDriver
from services.deployer.engine.leases import Leases
from services.deployer.engine.planner import Planner
from services.deployer.handlers import handlers
from services.deployer.secrets.opening import SecretOpener
from shared.messages.base import CommandAccepted, CommandRejected
from shared.messages.deployer import AvailabilityChanged, CheckSite, SetSecret, SiteAvailability, SitesChecked
from shared.messages.strategy import Site, SitesChanged
from shared.process.service import Service, Wire
from shared.sealing import KeyPair, seal
from tests.service.deployer.fleet import Fleet
from tests.support.patience import come, until_so
from tests.support.replica import replica
from tests.support.world import World

pytestmark = pytest.mark.service

OFTEN = 0.2
"""Seconds between two checks of a site, here."""


class Line(Driver):
    """Sites at the other end of a line: each answers unless it is said to be down, to hang, or to break its driver."""

    heeds_deployed = True

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.hanging: set[str] = set()
        self.breaking = False
        self.asked: Counter[str] = Counter()
        self.deployed: dict[str, bool] = {}
        self.said: dict[str, str] = {}

    async def reach(self, sites: Sequence[Reachable]) -> Sequence[Reached | Broken]:
        self.asked.update(site.site for site in sites)
        self.deployed.update({site.site: site.deployed for site in sites})
        self.said.update({site.site: str(site.connection.get("password", "")) for site in sites})
        if self.breaking:
            raise RuntimeError("the tool is not installed")
        if any(site.site in self.hanging for site in sites):
            await asyncio.Event().wait()
        return [
            Broken("refused", f"no route with {_password(site)}") if site.site in self.down else Reached(1_000)
            for site in sites
        ]


def _password(site: Reachable) -> str:
    secret = site.connection.get("password")
    return secret.get_secret_value() if secret else "nothing"


def checking(line: Line | None = None, period: float = OFTEN, lease: float = 2.0) -> Wire:
    """A replica that answers commands and checks sites, and carries out no operation."""

    async def wire(service: Service) -> None:
        drivers: dict[str, Driver] = {"simulated": SimulatedDriver(service.settings.home / "devices")}
        registry = DriverRegistry(drivers | ({"line": line} if line else {}))
        keys = KeyPair.of(service.settings.home, "deployer")
        secrets = SecretOpener(service.pool, keys)
        leases = Leases(service.ledger, service.settings.instance, service.settings.lease_seconds)
        asking = Asking(registry, secrets)
        checks = Checks(service.ledger, asking, service.settings.instance, period, 400, lease) if period else None
        service.handlers = handlers(Planner(registry, secrets), leases, keys, checks.wanted if checks else None)
        service.topics = TOPICS
        service.parts.append(checks.run if checks else partial(no_checks, service.ledger))

    return wire


def told(world: World, site: str) -> list[SiteAvailability]:
    """What was told of a site, in order."""
    found = [one for event in world.events(AvailabilityChanged) for one in event.sites if one.site == site]
    return sorted(found, key=lambda one: one.nth)


def why(one: SiteAvailability) -> tuple[str, str]:
    """Code and words of its cause."""
    return (one.cause.code, one.cause.message) if one.cause else ("", "")


async def until_told(world: World, site: str, **facts: Any) -> SiteAvailability:
    """The first thing told of a site that fits."""

    def fits(one: SiteAvailability) -> bool:
        return one.site == site and all(getattr(one, name) == value for name, value in facts.items())

    event = await world.until(AvailabilityChanged, lambda event: any(map(fits, event.sites)))
    return next(filter(fits, event.sites))


async def sweeps(world: World, more: int) -> None:
    """Until so many buckets were checked in full from now on."""
    seen = len(world.events(SitesChecked))
    await world.until(SitesChecked, lambda _: len(world.events(SitesChecked)) >= seen + more)


async def test_a_site_is_asked_at_once_and_is_online_with_what_it_says_of_itself(world: World) -> None:
    fleet = Fleet(world)
    async with world.run("deployer", checking(period=30)):
        facts = {"free_bytes": 5_000, "facts": {"platform": "linux/arm64"}}
        await fleet.sites("oslo", params=facts)
        found = await until_told(world, "oslo", availability="online")
    assert (found.was, found.free_bytes, found.facts) == ("unknown", 5_000, {"platform": "linux/arm64"})
    assert found.seen_at == found.since == found.checked_at


async def test_a_driver_that_wants_to_know_is_told_where_something_of_its_own_is_deployed(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line)) as service:
        for site, driver in (("oslo", "line"), ("bergen", "another")):
            there = "insert into deployment (site, app, version, status, operation_id)"
            await service.pool.execute(f"{there} values ($1, 'a', '1', 'operational', 'o')", site)
            recorded = "insert into component_revision values ($1, 'a', 'web', '1', 'r', $2, 'd')"
            await service.pool.execute(recorded, site, driver)
        await fleet.sites("oslo", "bergen", "rome", driver="line")
        await until_told(world, "oslo", availability="online")
        await sweeps(world, 32)
    assert line.deployed == {"oslo": True, "bergen": False, "rome": False}


async def test_each_site_is_told_again_before_the_topic_forgets_it_and_only_then(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line)) as service:
        await fleet.sites("oslo", "rome", driver="line")
        line.down.add("rome")
        await until_told(world, "oslo", availability="online")
        await until_told(world, "rome", availability="offline")
        await sweeps(world, 32)
        before = {site: told(world, site)[-1].nth for site in ("oslo", "rome")}
        await service.pool.execute("update check_bucket set retold_at = now() - interval '8 days'")
        for site, was in before.items():
            again = await until_told(world, site, nth=was + 1)
            assert (again.was, again.since) == (again.availability, told(world, site)[-2].since)
        await sweeps(world, 32)
        assert {site: told(world, site)[-1].nth for site in before} == {site: was + 1 for site, was in before.items()}


async def test_what_goes_down_is_offline_after_two_checks_and_comes_back_with_the_first(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line)):
        await fleet.sites("oslo", driver="line")
        await until_told(world, "oslo", availability="online")
        line.down.add("oslo")
        gone = await until_told(world, "oslo", availability="offline")
        line.down.clear()
        await until_told(world, "oslo", availability="online", was="offline")
    first, doubtful, *_ = told(world, "oslo")
    assert (doubtful.availability, *why(doubtful)) == ("online", "refused", "no route with nothing")
    assert gone.seen_at
    assert first.since <= gone.seen_at < gone.since
    assert [one.nth for one in told(world, "oslo")] == [1, 2, 3, 4]


async def test_nothing_is_told_and_no_row_written_of_what_is_as_it_was(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line)) as service:
        await fleet.sites("oslo", "bergen", driver="line")
        await until_told(world, "oslo")
        await until_told(world, "bergen")
        await until_so(lambda: service.pool.fetchval("select bool_and(ask_at is null) from availability"))
        before = await service.pool.fetch(WRITTEN)
        await sweeps(world, 8)
        assert await service.pool.fetch(WRITTEN) == before
    assert line.asked["oslo"] >= 3
    assert [one.nth for one in told(world, "oslo")] == [1]


WRITTEN = "select site, xmin::text from availability order by site"
"""The transaction that wrote each row last."""


async def test_a_site_that_flaps_is_never_offline(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line)):
        await fleet.sites("oslo", driver="line")
        await until_told(world, "oslo", availability="online")
        for _ in range(3):
            line.down.add("oslo")
            seen = len(told(world, "oslo"))
            await world.until(AvailabilityChanged, lambda _, seen=seen: len(told(world, "oslo")) > seen)
            line.down.clear()
            await world.until(AvailabilityChanged, lambda _, seen=seen: len(told(world, "oslo")) > seen + 1)
    assert {one.availability for one in told(world, "oslo")} == {"online"}
    assert [one.cause is None for one in told(world, "oslo")] == [True, False] * 3 + [True]


async def test_a_driver_that_hangs_over_one_site_keeps_no_other_from_being_asked(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line, period=1.0)):
        await fleet.sites(*(f"s-{n}" for n in range(20)), driver="line")
        for n in range(20):
            await until_told(world, f"s-{n}", availability="online")
        line.hanging.add("s-3")
        gone = await until_told(world, "s-3", availability="offline")
        others = {one.site for event in world.events(AvailabilityChanged) for one in event.sites if one.cause}
        asked = line.asked.copy()
        await sweeps(world, 3)
    assert why(gone) == ("timeout", f"the driver line had no answer within {REACH_SECONDS:g} s")
    assert others == {"s-3"}
    assert sum((line.asked - asked).values()) > 1


async def test_a_driver_that_breaks_makes_its_sites_unknown_and_not_offline(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line)):
        await fleet.sites("oslo", driver="line")
        await until_told(world, "oslo", availability="online")
        line.breaking = True
        lost = await until_told(world, "oslo", availability="unknown", was="online")
        line.breaking = False
        await until_told(world, "oslo", availability="online", was="unknown", nth=lost.nth + 1)


async def test_a_site_that_no_driver_can_ask_stays_unknown(world: World) -> None:
    fleet = Fleet(world)
    async with world.run("deployer", checking()):
        await fleet.sites("oslo", driver="carrier-pigeon")
        await fleet.sites("bergen")
        await until_told(world, "bergen", availability="online")
        await sweeps(world, 17)
    assert told(world, "oslo") == []


async def test_a_site_of_several_connections_answers_when_all_that_can_be_asked_do(world: World) -> None:
    fleet, line = Fleet(world), Line()
    both = {"line": {}, "simulated": {"free_bytes": 10}, "carrier-pigeon": {}}
    async with world.run("deployer", checking(line)):
        await fleet.tell(SitesChanged(sites=(Site(name="oslo", connections=both),)))
        online = await until_told(world, "oslo", availability="online")
        line.down.add("oslo")
        gone = await until_told(world, "oslo", availability="offline")
    assert online.free_bytes == 10
    assert why(gone) == ("refused", "line: no route with nothing")


async def test_a_secret_that_is_missing_is_the_cause_and_its_value_is_told_to_nobody(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line)):
        await fleet.sites("oslo", driver="line", params={"password": {"secret": "oslo"}})
        gone = await until_told(world, "oslo", availability="offline")
        assert why(gone)[0] == "unknown_secret"
        keys = KeyPair.of(world.home, "deployer")
        assert isinstance(
            await world.ask(SetSecret(name="oslo", sealed=seal(b"hunter22", keys.public))), CommandAccepted
        )
        await until_told(world, "oslo", availability="online")
        line.down.add("oslo")
        again = await until_told(world, "oslo", availability="offline", was="online")
    assert why(again) == ("refused", "no route with ***")


async def test_a_site_that_is_removed_while_it_is_asked_is_not_told_of_and_begins_anew(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line, period=1.0)) as service:
        await fleet.sites("oslo", driver="line")
        await until_told(world, "oslo", availability="online")
        line.hanging.add("oslo")
        asked = line.asked["oslo"]
        await until_so(lambda: _asked_again(line, asked))
        await fleet.forget("oslo")
        await fleet.known(service)
        line.hanging.clear()
        seen = len(told(world, "oslo"))
        await fleet.sites("oslo", driver="line")
        back = await until_told(world, "oslo", was="unknown", nth=seen + 1)
    assert back.availability == "online"


async def _asked_again(line: Line, asked: int) -> bool:
    return line.asked["oslo"] > asked


async def test_somebody_who_wants_to_know_is_told_even_if_nothing_has_changed(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line, period=600)):
        await fleet.sites("oslo", driver="line")
        first = await until_told(world, "oslo", availability="online")
        assert isinstance(await world.ask(CheckSite(site="oslo")), CommandAccepted)
        again = await until_told(world, "oslo", nth=first.nth + 1)
        unknown = await world.ask(CheckSite(site="atlantis"))
    assert again.checked_at
    assert again.checked_at > first.since
    assert isinstance(unknown, CommandRejected)
    assert unknown.code == "unknown_site"


async def test_where_checks_are_off_what_was_known_is_unknown_and_nobody_is_asked(world: World) -> None:
    fleet, line = Fleet(world), Line()
    async with world.run("deployer", checking(line)):
        await fleet.sites("oslo", driver="line")
        await until_told(world, "oslo", availability="online")
    asked = line.asked["oslo"]
    async with world.run("deployer", checking(line, period=0)):
        await until_told(world, "oslo", availability="unknown")
        refused = await world.ask(CheckSite(site="oslo"))
    assert isinstance(refused, CommandRejected)
    assert refused.code == "checks_off"
    assert line.asked["oslo"] == asked


async def test_two_replicas_share_the_sites_and_ask_none_twice_as_often(world: World) -> None:
    fleet, one, two = Fleet(world), Line(), Line()
    names = [f"s-{n}" for n in range(300)]
    first, second = (checking(line, period=2.0, lease=30) for line in (one, two))  # on a busy machine, too
    async with world.run("deployer", first), world.run("deployer", second, "2"):
        await fleet.sites(*names, driver="line")
        await come(world.news, lambda: told_as(world, "online") == set(names), lambda: len(world.seen), 45)
        begun = datetime.now(UTC)
        before = one.asked + two.asked
        await sweeps(world, 48)
        seconds = (datetime.now(UTC) - begun) / timedelta(seconds=1)
    asked = (one.asked + two.asked) - before
    assert min(one.asked.total(), two.asked.total()) > 0
    assert max(asked.values()) <= seconds / (2.0 * 0.4) + 1  # never sooner than half a period later, but for the spread
    assert all(len(told(world, name)) == 1 for name in names)


async def test_a_replica_that_is_killed_in_the_midst_of_a_check_leaves_its_sites_to_others(world: World) -> None:
    fleet = Fleet(world)
    names = [f"s-{n}" for n in range(64)]
    async with world.run("deployer", checking(period=30, lease=1)) as service:
        await fleet.sites(*names)
        await come(world.news, lambda: told_as(world, "online") == set(names), lambda: len(world.seen), 45)
        # As it is when a replica was killed with buckets in its hands, and sites that it was to ask out of turn.
        await service.pool.execute(
            "update check_bucket set due_at = now(), owner = 'dead', owned_until = now() + '1 s'"
        )
        taken_over = "select not exists (select from check_bucket where owner = 'dead')"
        await until_so(lambda: service.pool.fetchval(taken_over), 45)


async def test_two_thousand_devices_that_change_together_are_told_in_few_messages(world: World) -> None:
    fleet = Fleet(world)
    names = [f"device-{n}" for n in range(2_000)]
    async with world.run("deployer", checking(period=1.0)):
        for start in range(0, 2_000, 500):
            await fleet.sites(*names[start : start + 500])
        await come(world.news, lambda: len(told_as(world, "online")) == 2_000, lambda: len(world.seen), 45)
        for start in range(0, 2_000, 500):
            await fleet.sites(*names[start : start + 500], params={"online": False})
        await come(world.news, lambda: len(told_as(world, "offline")) == 2_000, lambda: len(world.seen), 45)
    assert max(len(event.sites) for event in world.events(AvailabilityChanged)) <= 500
    assert all([one.nth for one in told(world, name)] == [1, 2, 3] for name in names[::100])


def told_as(world: World, availability: str) -> set[str]:
    """Sites that were ever told to be so."""
    return {one.site for e in world.events(AvailabilityChanged) for one in e.sites if one.availability == availability}


async def test_a_site_of_this_machine_is_offline_without_its_disk_and_back_with_it(world: World) -> None:
    fleet = Fleet(world)
    disk, away = world.home / "disk", world.home / "away"
    disk.mkdir(parents=True)
    (world.home / "hosts").mkdir()
    (world.home / "hosts" / "box").symlink_to(disk)
    async with replica(world, "deployer", deployer_check_seconds=0.3):
        await fleet.sites("oslo", driver="process", params={"host": "box", "port": 8101})
        found = await until_told(world, "oslo", availability="online")
        disk.rename(away)
        gone = await until_told(world, "oslo", availability="offline")
        away.rename(disk)
        await until_told(world, "oslo", availability="online", was="offline")
    assert found.free_bytes
    assert found.facts["platform"].startswith("linux/")
    assert why(gone)[0] == "unreachable"
