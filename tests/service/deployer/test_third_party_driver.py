"""A driver of a third party is installed beside Belay, and rolls out: nothing of ours is changed for it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.messages.catalog import ReleaseAvailable, ReleaseRejected
from shared.messages.deployer import OperationSucceeded, RequestOperation
from shared.messages.strategy import Site, SitesChanged
from tests.service.catalog.shelf import publication
from tests.support.bundles import bundle, unnumbered
from tests.support.replica import replica
from tests.support.workshop import EXAMPLES, foreign_folders
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

DRIVER = EXAMPLES / "driver-copy"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver as pip installs it, apart from the environment that runs us, and without a network."""
    target = tmp_path_factory.mktemp("installed")
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    source = tmp_path_factory.mktemp("source") / "driver"  # pip builds beside the sources
    subprocess.run(["cp", "-r", str(DRIVER), str(source)], check=True)
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return target


@pytest.fixture
def beside(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process that is started from here on has it."""
    here = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{installed}{os.pathsep}{here}" if here else str(installed))


def page(version: str, text: str, source: str = "site") -> bytes:
    manifest = f"""\
app: pages
version: "{version}"
components:
  - driver: copy
    name: page
    spec: {{source: {source}, target: www}}
"""
    return bundle({"bundle.yaml": manifest.encode(), "site/index.html": text.encode()})


@pytest.mark.usefixtures("beside")
async def test_its_releases_are_published_and_rolled_out_and_rolled_back(world: World, tmp_path: Path) -> None:
    index = tmp_path / "oslo/www/index.html"
    async with replica(world, "catalog"), replica(world, "deployer"):
        connections = {"copy": {"root": str(tmp_path / "oslo")}}
        await world.send(SitesChanged(sites=(Site(name="oslo", connections=connections),)), sequence=1)
        for version, text in (("1.0", "one"), ("2.0", "two")):
            await world.send(await publication(world, page(version, text)))
            await world.until(ReleaseAvailable, lambda r, v=version: r.version == v)
            await done(world, "apply" if version == "1.0" else "update", version)
            assert await asyncio.to_thread(index.read_text) == text
        back = await done(world, "rollback", None)
        assert [way.action for way in back.plan] == ["rollback"]
        assert await asyncio.to_thread(index.read_text) == "one"


MIXED = """\
app: pages
version: "1.0"
max_parallel_components: 1
components:
  - driver: copy
    name: page
    after: [lamp]
    spec: {source: site, target: www}
  - driver: simulated
    name: lamp
    spec: {seconds: [0.3, 0.3]}
"""


@pytest.mark.usefixtures("beside")
async def test_a_release_mixes_it_with_others_in_their_order(world: World, tmp_path: Path) -> None:
    content = bundle({"bundle.yaml": MIXED.encode(), "site/index.html": b"one"})
    async with replica(world, "catalog"), replica(world, "deployer"):
        sites = {"oslo": {"copy": {"root": str(tmp_path / "oslo")}, "simulated": {}}, "bari": {"simulated": {}}}
        told = tuple(Site(name=name, connections=connections) for name, connections in sites.items())
        await world.send(SitesChanged(sites=told), sequence=1)
        await world.send(await publication(world, content))
        assert (await world.until(ReleaseAvailable)).max_parallel_components == 1
        await done(world, "apply", "1.0")
        lamp = (world.home / "devices/journal.jsonl").stat().st_mtime
        assert (tmp_path / "oslo/www/index.html").stat().st_ctime > lamp - 0.01
        refused = await world.ask(RequestOperation(site="bari", app="pages", kind="apply", version="1.0"))
        assert [(fault.code, "copy" in fault.message) for fault in refused.faults] == [("driver_mismatch", True)]


@pytest.mark.usefixtures("beside")
async def test_its_specs_are_validated_when_they_are_published(world: World) -> None:
    async with replica(world, "catalog"):
        await world.send(await publication(world, page("1.0", "one", source="nowhere")))
        rejected = await world.until(ReleaseRejected)
        assert [(f.code, unnumbered(f.field)) for f in rejected.faults] == [
            ("missing_file", "bundle.yaml:components[0].spec.source")
        ]


@pytest.mark.parametrize("service", ["catalog", "deployer"])
async def test_one_that_cannot_be_imported_keeps_a_service_from_starting_and_is_named(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    folder = tmp_path / "broken-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[belay.components]\nsteam = nowhere:Spec\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with replica(world, service) as running:
        await running.until_said("belay.components steam = nowhere:Spec of broken cannot be imported")
        assert await running.end() != 0


async def done(world: World, kind: str, version: str | None) -> OperationSucceeded:
    identifier = f"{kind}-{version}"
    command = RequestOperation.model_validate({"site": "oslo", "app": "pages", "kind": kind, "version": version})
    while (answer := await world.ask(command, message_id=identifier)).__class__.__name__ == "CommandRejected":
        # the deployer may hear of site and release only after the command: they come on other topics
        assert answer.code in ("unknown_site", "unknown_app", "unknown_release"), answer
        identifier += "+"
        await asyncio.sleep(0.1)
    return await world.until(OperationSucceeded, lambda e: e.operation_id == identifier)


@pytest.mark.parametrize("folder", foreign_folders(), ids=lambda folder: folder.name)
def test_the_tests_that_it_brings_pass(folder: Path) -> None:
    path = os.pathsep.join((str(folder), str(EXAMPLES.parent)))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "tests"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=True)
