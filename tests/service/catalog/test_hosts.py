"""A release must be installable on the hosts that deployers report; while none has, on the catalog's own."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from services.catalog.app import wire
from shared.bundle import this_host
from shared.bundle.hosts import Host, named_by
from shared.messages.catalog import ReleaseAvailable, ReleaseRejected
from shared.messages.deployer import HostReported
from shared.messages.manifest import Requires
from shared.process.service import Service
from tests.service.catalog.shelf import publication
from tests.support.bundles import bundle
from tests.support.patience import until_so
from tests.support.wheels import pin, wheel, wheel_name
from tests.support.world import World

pytestmark = pytest.mark.service

PROCESS = """\
app: lamp
version: "{version}"
components:
  - {{driver: process, name: web, requirements: requirements.lock, command: [bulb]}}
"""
(ARM,) = named_by(Requires(python="==3.12.*", platforms=("manylinux_2_28_aarch64",)), [])
FOR_ARM = "cp312-cp312-manylinux_2_17_aarch64"
HERE = f"{this_host().abis[0]}-{this_host().abis[0]}-{this_host().platforms[0]}"


def reported(host: Host, name: str = "1") -> HostReported:
    return HostReported(host=name, environment=dict(host.environment), abis=host.abis, platforms=host.platforms)


def release(version: str, *tags: str) -> bytes:
    """A bundle with a wheel for each of these."""
    wheels: Mapping[str, bytes] = {wheel_name("bulb", tag=tag): wheel("bulb", tag=tag) for tag in tags}
    lock = "bulb==1.0" + "".join(pin("bulb", content)[len("bulb==1.0") : -1] for content in wheels.values())
    files = {"bundle.yaml": PROCESS.format(version=version).encode(), "requirements.lock": lock.encode()}
    return bundle(files | {f"wheels/{name}": content for name, content in wheels.items()})


async def learned(world: World, service: Service, event: HostReported) -> None:
    """The catalog knows of the host."""
    await world.send(event)
    known = "select exists (select from host where name = $1)"
    await until_so(lambda: service.pool.fetchval(known, event.host))


async def test_while_no_host_is_known_a_release_must_fit_the_catalogs_own(world: World) -> None:
    async with world.run("catalog", wire):
        await world.ask(await publication(world, release("1.0", FOR_ARM)))
        rejected = await world.until(ReleaseRejected)
        assert [(f.code, f.field) for f in rejected.faults] == [
            ("wrong_platform", f"wheels/{wheel_name('bulb', tag=FOR_ARM)}")
        ]
        await world.ask(await publication(world, release("1.0", HERE)))
        await world.until(ReleaseAvailable)


async def test_a_release_must_fit_every_host_that_was_reported(world: World) -> None:
    async with world.run("catalog", wire) as service:
        await learned(world, service, reported(ARM))
        await world.ask(await publication(world, release("1.0", FOR_ARM)))
        assert (await world.until(ReleaseAvailable)).version == "1.0"
        await learned(world, service, reported(this_host(), "2"))
        await world.ask(await publication(world, release("1.1", FOR_ARM)))
        rejected = await world.until(ReleaseRejected)
        assert "(2)" in rejected.faults[0].message
        await world.ask(await publication(world, release("1.1", FOR_ARM, HERE)))
        await world.until(ReleaseAvailable, lambda r: r.version == "1.1")


async def test_a_host_that_fell_silent_no_longer_counts(world: World) -> None:
    async with world.run("catalog", wire) as service:
        await learned(world, service, reported(ARM, "gone"))
        await service.pool.execute("update host set heard_at = $1", datetime.now(UTC) - timedelta(days=4))
        await learned(world, service, reported(this_host()))
        await world.ask(await publication(world, release("1.0", HERE)))
        await world.until(ReleaseAvailable)


async def test_an_older_report_does_not_undo_a_later_one(world: World) -> None:
    async with world.run("catalog", wire) as service:
        await learned(world, service, reported(ARM))
        await service.pool.execute("update host set heard_at = heard_at + interval '1 hour'")
        await world.send(reported(this_host()))
        await learned(world, service, reported(ARM, "2"))
        facts = await service.pool.fetchval("select facts from host where name = '1'")
        assert facts["environment"]["platform_machine"] == "aarch64"
