"""A release that is to be deleted takes no operation; sites that need it are named, and what is gone is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from services.deployer.deletion.handlers import tell_uses
from services.deployer.store import Store
from shared.messages.catalog import ReleaseDeleted, ReleaseDeleting, ReleaseWithdrawn
from shared.messages.deployer import CancelOperation, OperationFailed, ReleaseUseReported
from shared.messages.words import StrategyState
from tests.service.deployer.fleet import APP, Fleet, ready
from tests.support.components import simulated
from tests.support.patience import until_so
from tests.support.strategies_told import deleted as deleted_strategy
from tests.support.strategies_told import moved, planned
from tests.support.world import World

pytestmark = pytest.mark.service


def digest(version: str) -> str:
    return f"{sum(version.encode()):064x}"


async def deleting(fleet: Fleet, version: str, deletion: str = "d1") -> None:
    """As the catalog asks; it is known here when this returns."""
    about = {"app": APP, "version": version, "release_id": f"{APP}-{version}", "bundle_sha256": digest(version)}
    await fleet.world.send(ReleaseDeleting(deletion=deletion, **about))
    known = "select exists (select from release where version = $1 and deletion is not null)"
    await until_so(partial(fleet.service.pool.fetchval, known, version))


async def deleted(fleet: Fleet, version: str) -> None:
    about = {"app": APP, "version": version, "release_id": f"{APP}-{version}", "bundle_sha256": digest(version)}
    await fleet.world.send(ReleaseDeleted(**about))
    fleet.released -= 1
    await fleet.known(fleet.service)


@asynccontextmanager
async def telling(fleet: Fleet, seconds: float = 0.01) -> AsyncIterator[None]:
    task = asyncio.create_task(tell_uses(fleet.service.ledger, seconds))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def use(world: World, deletion: str = "d1") -> ReleaseUseReported:
    return await world.until(ReleaseUseReported, lambda e: e.deletion == deletion)


async def test_what_no_site_needs_is_told_once_and_stays_closed(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet, telling(fleet), telling(fleet):
        await deleting(fleet, "2.0")
        assert (await use(world)).sites == 0
        assert await fleet.refused("oslo", "apply", "2.0") == ["release_deleting"]
        assert len(world.events(ReleaseUseReported)) == 1


async def test_what_a_site_runs_is_needed_and_may_be_chosen_again(world: World) -> None:
    async with ready(world, ["oslo", "rome"], ["1.0", "2.0"]) as fleet:
        for site in ("oslo", "rome"):
            await fleet.do(site, "apply", "1.0")
        async with telling(fleet):
            await deleting(fleet, "1.0")
            told = await use(world)
        assert (told.sites, told.examples) == (2, ("oslo", "rome"))
        await fleet.do("oslo", "update", "2.0")
        assert (await fleet.do("oslo", "update", "1.0")).version == "1.0"


async def test_an_operation_that_was_accepted_first_wins(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.service.pool.execute(
            "insert into operation (id, site, app, kind, to_version, timeout_seconds, correlation_id, actor,"
            " requested_at) values ('o', 'oslo', 'shop', 'apply', '1.0', 60, '', '', now())"
        )
        await deleting(fleet, "1.0")
        async with telling(fleet):
            assert (await use(world)).examples == ("oslo",)


async def test_what_was_accepted_and_waits_behind_others_of_its_site_is_needed(world: World) -> None:
    """Until its turn comes it is an item of a run and no operation: its release must not go from under it."""
    async with ready(world, ["oslo"], []) as fleet:
        await fleet.release("1.0", simulated("db", seconds=(60, 60)), app="db", release_id="db-1.0")
        await fleet.release("2.0", rules={"depends_on": [{"app": "db", "action": "apply"}]})
        await fleet.known(fleet.service)
        operation = await fleet.request("oslo", "apply", "2.0")
        await fleet.begun(f"{operation}.first.0")
        await deleting(fleet, "2.0")
        async with telling(fleet):
            assert (await use(world)).examples == ("oslo",)
        await fleet.withdraw("2.0")
        await fleet.known(fleet.service)
        async with fleet.service.pool.acquire() as conn:
            assert await Store(conn).mark_unneeded(timedelta(seconds=-60)) == []
        await world.ask(CancelOperation(site="oslo", operation_id=operation))
        await fleet.end(operation)
        async with fleet.service.pool.acquire() as conn:
            assert len(await Store(conn).mark_unneeded(timedelta(seconds=-60))) == 1


async def test_what_was_left_half_done_is_needed(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        await fleet.service.pool.execute(
            "insert into deployment (site, app, status, leftovers, operation_id)"
            " values ('oslo', 'shop', 'apply_error', '{1.0}', 'o')"
        )
        await deleting(fleet, "1.0")
        async with telling(fleet):
            assert (await use(world)).sites == 1


async def test_what_a_strategy_leads_to_is_needed_until_it_ends_and_while_it_catches_up(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet, telling(fleet):
        now = datetime.now(UTC)
        for name in ("spring", "autumn"):
            await world.send(planned(name, "2.0", at=now))
        await needs(fleet, {"spring", "autumn"})
        await deleting(fleet, "2.0", "d1")
        told = await use(world, "d1")
        assert (told.sites, told.strategies) == (0, ("name-autumn", "name-spring"))
        for name, until in (("autumn", now + timedelta(hours=1)), ("spring", None)):
            await world.send(moved(StrategyState.FAILED, name, now, until))
        await needs(fleet, {"autumn"})
        await deleting(fleet, "2.0", "d2")
        assert (await use(world, "d2")).strategies == ("name-autumn",)
        await world.send(moved(StrategyState.APPLYING, "spring", now))  # somebody retried it
        await world.send(deleted_strategy("autumn"))
        await needs(fleet, {"spring"})
        await deleting(fleet, "2.0", "d3")
        assert (await use(world, "d3")).strategies == ("name-spring",)
        await world.send(moved(StrategyState.COMPLETE, "spring"))
        await needs(fleet, set())
        await deleting(fleet, "2.0", "d4")
        assert not (await use(world, "d4")).needed


async def needs(fleet: Fleet, strategies: set[str]) -> None:
    """Until the deployer has learnt that releases are needed by these."""
    query = "select coalesce(array_agg(strategy_id), '{}') from strategy_target where needed_until > now()"

    async def known() -> bool:
        return set(await fleet.service.pool.fetchval(query)) == strategies

    await until_so(known)


async def test_nothing_is_told_while_a_request_may_still_be_unseen(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet:
        await deleting(fleet, "1.0")
        async with telling(fleet, 600):
            await deleting(fleet, "2.0", "d2")
            await asyncio.sleep(0)
        assert world.events(ReleaseUseReported) == []
        async with telling(fleet):
            await use(world, "d2")


async def test_one_that_is_not_known_here_is_needed_by_nobody(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]):
        about = {"app": APP, "version": "9.0", "release_id": "x", "bundle_sha256": digest("9.0")}
        await world.send(ReleaseDeleting(deletion="d1", **about))
        assert (await use(world)).sites == 0


async def test_a_site_that_had_it_applies_the_next_one_of_that_version_and_cannot_go_back(
    world: World,
) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet:
        await fleet.do("oslo", "apply", "1.0")
        await fleet.do("oslo", "update", "2.0")
        await deleted(fleet, "1.0")
        assert await fleet.refused("oslo", "update", "1.0") == ["unknown_release"]
        assert await fleet.refused("oslo", "rollback") == ["no_previous_release"]
        await fleet.release("1.0", bundle_sha256="f" * 64, release_id="another")
        await fleet.known(fleet.service)
        end = await fleet.do("oslo", "update", "1.0")
        assert (end.version, [one.action for one in end.plan]) == ("1.0", ["apply"])
        await fleet.release("1.0")
        await fleet.world.send(ReleaseWithdrawn(release_id=f"{APP}-1.0", app=APP, version="1.0"), sequence=2)
        await deleted(fleet, "1.0")  # all that was said of the first one, once more
        await fleet.release("3.0")
        await fleet.known(fleet.service)
        await fleet.do("oslo", "update", "2.0")
        back = await fleet.do("oslo", "update", "1.0")
        assert (back.version, [one.action for one in back.plan]) == ("1.0", ["rollback"])


async def test_a_version_that_is_published_again_is_deployed_with_its_new_content(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0"]) as fleet:
        first = await fleet.do("oslo", "apply", "1.0")
        assert [one.component for one in first.plan] == ["web"]
        await fleet.do("oslo", "remove")
        await deleted(fleet, "1.0")
        await fleet.release("1.0", simulated("api"), bundle_sha256="f" * 64, release_id="another")
        await fleet.known(fleet.service)
        again = await fleet.do("oslo", "apply", "1.0")
        assert [one.component for one in again.plan] == ["api"]


async def test_an_operation_under_way_does_not_bring_back_what_is_deleted_meanwhile(world: World) -> None:
    async with ready(world, ["oslo"], ["1.0", "2.0"]) as fleet:
        await fleet.release("3.0", simulated(hang=1.0))
        await fleet.known(fleet.service)
        await fleet.do("oslo", "apply", "1.0")
        await fleet.do("oslo", "update", "2.0")
        last = await fleet.request("oslo", "update", "3.0")
        await fleet.begun(last)
        await deleted(fleet, "1.0")
        await world.ask(CancelOperation(site="oslo", operation_id=last))
        end = await fleet.end(last)
        assert isinstance(end, OperationFailed)
        assert (end.version, end.history) == ("2.0", ())
        assert await fleet.refused("oslo", "rollback", "1.0") == ["unknown_release", "no_previous_release"]
