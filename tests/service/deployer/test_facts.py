"""What the deployer tells others of itself: what can be installed here, and which withdrawn releases no site needs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from services.deployer.app import wire
from services.deployer.engine.facts import tell_unneeded
from services.deployer.store import Store
from shared.bundle import this_host
from shared.messages.deployer import HostReported, ReleaseUnneeded
from shared.process.service import Service
from tests.service.deployer.fleet import Fleet, ready
from tests.support.world import World

pytestmark = pytest.mark.service

AT_ONCE = timedelta(0)


async def test_a_deployer_says_what_can_be_installed_on_its_host(world: World) -> None:
    async with world.run("deployer", wire, instance="oslo"):
        said = await world.until(HostReported)
        here = this_host()
        assert (said.host, said.environment, said.abis, said.platforms) == (
            "oslo",
            dict(here.environment),
            here.abis,
            here.platforms,
        )


async def unneeded(service: Service, settled: timedelta = AT_ONCE) -> list[str]:
    """The withdrawn releases that no site needs now; nothing is kept of the question."""
    async with service.pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        found = [event.version for event in await Store(conn).mark_unneeded(settled)]
        await transaction.rollback()
    return found


async def withdraw(fleet: Fleet, *versions: str) -> None:
    for version in versions:
        await fleet.withdraw(version)
    await fleet.known(fleet.service)


async def test_a_release_is_needed_while_a_site_runs_it_or_had_it_before(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0", "2.0", "3.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        await fleet.do("oslo", "update", "2.0")
        await withdraw(fleet, "1.0", "2.0", "3.0")
        assert await unneeded(fleet.service) == ["3.0"]
        await fleet.do("oslo", "remove")
        assert sorted(await unneeded(fleet.service)) == ["1.0", "2.0", "3.0"]


async def test_a_release_is_needed_while_an_operation_goes_to_it_or_comes_from_it(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet:
        await fleet.service.pool.execute(
            "insert into operation (id, site, app, kind, from_version, to_version, timeout_seconds, correlation_id,"
            " actor, requested_at) values ('o', 'oslo', 'shop', 'update', '1.0', '2.0', 60, '', '', now())"
        )
        await withdraw(fleet, "1.0", "2.0")
        assert await unneeded(fleet.service) == []


async def test_a_release_that_was_left_half_done_is_needed(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.service.pool.execute(
            "insert into deployment (site, app, status, leftovers, operation_id)"
            " values ('oslo', 'shop', 'apply_error', '{1.0}', 'o')"
        )
        await withdraw(fleet, "1.0")
        assert await unneeded(fleet.service) == []


async def test_what_was_withdrawn_a_moment_ago_may_still_be_asked_for_and_is_not_told(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await withdraw(fleet, "1.0")
        assert await unneeded(fleet.service, timedelta(minutes=10)) == []
        assert await unneeded(fleet.service) == ["1.0"]


async def test_each_release_is_told_once_also_by_two_replicas(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet, telling(fleet), telling(fleet):
        await withdraw(fleet, "1.0")
        await world.until(ReleaseUnneeded)
        await withdraw(fleet, "2.0")
        await world.until(ReleaseUnneeded, lambda event: event.version == "2.0")
    assert [event.version for event in world.events(ReleaseUnneeded)] == ["1.0", "2.0"]


@asynccontextmanager
async def telling(fleet: Fleet) -> AsyncIterator[None]:
    task = asyncio.create_task(tell_unneeded(fleet.service.ledger, 0.05))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
