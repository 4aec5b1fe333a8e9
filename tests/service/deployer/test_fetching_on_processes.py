"""What a release of real processes needs is installed before anything is touched: what cannot be had costs nothing."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.deployer.drivers.process.driver import ProcessDriver
from shared.blobs import Blobs
from shared.messages.deployer import OperationFailed, OperationSucceeded
from shared.process.settings import Settings
from tests.service.deployer.fleet import Finished, Fleet, ready
from tests.support import bundles as archives
from tests.support import process_sites as sites
from tests.support.components import as_published
from tests.support.process_sites import Bundles
from tests.support.world import World

pytestmark = pytest.mark.service
LARGE = 24 << 20


@pytest.fixture
def small_disk(home: Path) -> Iterator[bool]:
    """Whether what is installed on the host lies on a disk of its own, which is too small for one of the releases."""
    installed = home / "hosts/host-a/installed"
    installed.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={LARGE // 2}", "belay", str(installed)]
    mounted = os.geteuid() == 0 and not subprocess.run(mount, check=False).returncode
    yield mounted
    if mounted:
        subprocess.run(["umount", "-l", str(installed)], check=True)


async def publish(fleet: Fleet, bundles: Bundles, blobs: Blobs, version: str, **files: bytes) -> str:
    """A release of the program, whose bundle lies in the blob store; its digest."""
    folder = bundles.root / bundles.make(version)
    packed = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    made = sites.component(f"says={version}")
    spec = made.spec.model_dump_json()
    text = f"app: shop\nversion: '{version}'\ncomponents: [{{driver: process, name: web, spec: {spec}}}]\n"
    content = archives.bundle({"bundle.yaml": text.encode(), **packed, **files})

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    digest = (await blobs.put(chunks(), 1 << 30)).sha256
    await fleet.release(version, as_published(made), bundle_sha256=digest)
    return digest


def touched_nothing(ended: Finished, code: str) -> None:
    """It ended before anything was changed, with this cause."""
    assert isinstance(ended, OperationFailed)
    assert [(phase.name, phase.outcome) for phase in ended.phases] == [("precheck", "done"), ("fetch", "failed")]
    assert (ended.cause.code, ended.version, ended.status, ended.recovered) == (code, "1.0", "operational", True)


async def test_what_cannot_be_had_costs_the_release_that_runs_nothing_and_the_way_back_needs_nothing(
    world: World, home: Path, bundles: Bundles, port: int, small_disk: bool
) -> None:
    settings = Settings(home=home)
    blobs, driver = Blobs.open(settings), ProcessDriver.from_settings(settings)
    async with ready(world, [], [], also={"process": driver}, recovery_seconds=60, stop_seconds=20) as fleet:
        await fleet.sites("s1", driver="process", params={"host": "host-a", "port": port})
        digests = {version: await publish(fleet, bundles, blobs, version) for version in ("1.0", "2.0", "3.0", "4.0")}
        await publish(fleet, bundles, blobs, "5.0", **{"large.bin": os.urandom(LARGE)})
        await fleet.known(fleet.service)
        assert isinstance(await fleet.do("s1", "apply", "1.0"), OperationSucceeded)
        [runs] = sites.components(home)

        stored = {version: _file_of(home, digest) for version, digest in digests.items()}
        stored["2.0"].unlink()
        stored["3.0"].write_bytes(b"something else")
        touched_nothing(await fleet.do("s1", "update", "2.0"), "bundle_missing")
        touched_nothing(await fleet.do("s1", "update", "3.0"), "bundle_refused")
        if small_disk:
            touched_nothing(await fleet.do("s1", "update", "5.0"), "disk_full")
        assert [one.pid for one in sites.components(home)] == [runs.pid]
        assert await sites.ask(port) == {"app": {"version": "1.0"}}

        updated = await fleet.do("s1", "update", "4.0")
        assert isinstance(updated, OperationSucceeded)
        assert updated.fetched_bytes == stored["4.0"].stat().st_size
        for file in (stored["1.0"], stored["4.0"]):
            file.unlink()
        back = await fleet.do("s1", "rollback")
        assert isinstance(back, OperationSucceeded)
        assert (back.version, back.fetched_bytes) == ("1.0", 0)
        assert await sites.ask(port) == {"app": {"version": "1.0"}}


def _file_of(home: Path, digest: str) -> Path:
    """Where the blob store keeps a bundle."""
    [found] = [path for path in (home / "blobs").rglob(digest) if path.is_file()]
    return found
