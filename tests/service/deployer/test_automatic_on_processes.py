"""What goes by itself, on real processes: what fell is put right once, releases come, and a bad one only once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.deployer.drivers.process.driver import ProcessDriver
from shared.messages.base import CommandAccepted
from shared.messages.deployer import (
    AutomaticRequested,
    ClearFailedRelease,
    DriftFound,
    FailedReleaseChanged,
    OperationFailed,
    OperationSucceeded,
)
from tests.service.deployer.audited import ENVIRONMENT, QUICK, behave, looked_at, put_right
from tests.service.deployer.fleet import Fleet, ready
from tests.support import process_sites as sites
from tests.support.components import as_published
from tests.support.process_sites import Bundles
from tests.support.world import World

pytestmark = pytest.mark.service


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def site(world: World, driver: ProcessDriver, port: int, bundle: str) -> AsyncIterator[Fleet]:
    """The site s1 with release 1.0 of the app `shop`."""
    async with ready(world, [], [], also={"process": driver}, **QUICK) as fleet:
        await fleet.sites("s1", driver="process", params={"host": "host-a", "port": port})
        await publish(fleet, bundle, "1.0")
        assert isinstance(await fleet.do("s1", "apply", "1.0"), OperationSucceeded)
        yield fleet


async def publish(fleet: Fleet, bundle: str, version: str, says: str = "") -> None:
    """A release that says it is another one where `says` is given."""
    component = sites.component(f"says={says or version}", health={"start_seconds": 3 if says else 20})
    await fleet.release(version, as_published(component), bundle_sha256=bundle)
    await fleet.known(fleet.service)


async def test_what_fell_or_lost_its_files_is_told_and_put_right_once_and_nothing_is_claimed_of_what_cannot_be_asked(
    world: World, driver: ProcessDriver, bundles: Bundles, home: Path, port: int
) -> None:
    async with site(world, driver, port, bundles.make("one")) as fleet:
        await fleet.sites("s1", driver="process", params={"host": "host-a"})  # without its port it cannot be asked
        await fleet.known(fleet.service)
        for process in [*sites.keepers(home), *sites.components(home)]:
            process.kill()
        await behave(world, desired_state="deployed")
        await looked_at(fleet, times=2)
        assert (world.events(DriftFound), world.events(AutomaticRequested)) == ([], [])

        await fleet.sites("s1", driver="process", params={"host": "host-a", "port": port})
        assert "ended after it was healthy" in await put_right(fleet, 1)
        assert await sites.ask(port) == {"app": {"version": "1.0"}}

        [env] = (home / "hosts/host-a/installed").glob("*/env-*")
        env.rename(env.with_name("taken-away"))
        assert "could not be started again" in await put_right(fleet, 2)
        assert await sites.ask(port) == {"app": {"version": "1.0"}}

        await looked_at(fleet, times=2)
        assert (len(world.events(DriftFound)), len(world.events(AutomaticRequested))) == (2, 2)


async def test_it_goes_to_the_newest_release_and_a_failed_one_is_barred_until_it_is_cleared(
    world: World, driver: ProcessDriver, bundles: Bundles, port: int
) -> None:
    bundle = bundles.make("one")
    async with site(world, driver, port, bundle) as fleet:
        await publish(fleet, bundle, "2.0", says="1.9")
        await behave(world, auto_update=True)
        await world.until(FailedReleaseChanged, lambda event: (event.version, event.barred) == ("2.0", True))
        failed = await world.until(OperationFailed)  # over another partition, so it may come later
        assert (failed.to_version, failed.version, failed.recovered) == ("2.0", "1.0", True)
        await looked_at(fleet, times=2)
        assert (await sites.ask(port), len(world.events(OperationFailed))) == ({"app": {"version": "1.0"}}, 1)

        assert isinstance(await world.ask(ClearFailedRelease(app="shop", version="2.0")), CommandAccepted)
        await world.until(OperationFailed, lambda _: len(world.events(OperationFailed)) == 2)
        assert {failed.to_version for failed in world.events(OperationFailed)} == {"2.0"}

        await publish(fleet, bundle, "2.1")
        await world.until(OperationSucceeded, lambda event: event.version == "2.1")
        assert await sites.ask(port) == {"app": {"version": "2.1"}}
