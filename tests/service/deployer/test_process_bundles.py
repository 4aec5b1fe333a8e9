"""Releases come onto hosts from real bundles in a real blob store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.deployer.drivers import Broken, Done, Order
from services.deployer.drivers.process.driver import ProcessDriver
from shared.blobs import Blobs
from shared.process.settings import Settings
from tests.support import bundles as archives
from tests.support import process_sites as sites
from tests.support.process_sites import Bundles, order, reach

LIMIT = 10_000_000


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home)


async def store(settings: Settings, content: bytes) -> str:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    return (await Blobs.open(settings).put(chunks(), LIMIT)).sha256


def packed(bundles: Bundles, one: Order) -> bytes:
    """A bundle of the program as `belay bundle build` makes it."""
    folder = bundles.root / (one.bundle_sha256 or "")
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    spec = one.component.spec.model_dump_json()
    text = f"app: answering\nversion: '1.0'\ncomponents: [{{driver: process, name: web, spec: {spec}}}]\n"
    return archives.bundle({"bundle.yaml": text.encode(), **files})


async def test_a_bundle_of_the_blob_store_is_unpacked_installed_and_runs(
    settings: Settings, bundles: Bundles, port: int
) -> None:
    made = order("o1", "1.0", bundles.make("one"), port)
    digest = await store(settings, packed(bundles, made))
    driver = ProcessDriver.from_settings(settings)
    assert isinstance(await reach(driver, order("o1", "1.0", digest, port)), Done)
    assert await sites.ask(port) == {"app": {"version": "1.0"}}


async def test_a_bundle_that_the_store_has_not_is_named(settings: Settings, port: int) -> None:
    broken = await reach(ProcessDriver.from_settings(settings), order("o1", "1.0", "a" * 64, port))
    assert isinstance(broken, Broken)
    assert broken.code == "bundle_missing"
    assert "a" * 64 in broken.message


async def test_a_damaged_bundle_is_refused_with_its_faults(settings: Settings, home: Path, port: int) -> None:
    digest = await store(settings, archives.bundle({}, [archives.member("unlisted", b"1")]))
    broken = await reach(ProcessDriver.from_settings(settings), order("o1", "1.0", digest, port))
    assert isinstance(broken, Broken)
    assert broken.code == "bundle_refused"
    assert not (home / "hosts/host-a/installed" / digest / "bundle").exists()
