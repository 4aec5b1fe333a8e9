"""A full disk is told with what is free and what is needed, leaves nothing behind, and is over once there is room."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from services.catalog import progress
from services.catalog.app import wire
from shared.downloads.registry import PART
from shared.messages.catalog import BundleProgressed, CommandAccepted, ImportBundle, Origin, ReleaseAvailable
from tests.service.catalog.shelf import publication
from tests.service.catalog.test_imports import LARGE, settled, sha, until_nothing_is_left
from tests.support.bundles import bundle, manifest
from tests.support.file_source import file_source
from tests.support.image_registry import image_registry
from tests.support.images import image, noise
from tests.support.patience import until_so
from tests.support.small_disk import give_room, small_disk
from tests.support.world import World

pytestmark = pytest.mark.service


@pytest.fixture(autouse=True)
def on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests serve lies here, and retries come soon."""
    monkeypatch.setenv("BELAY_CATALOG_RETRY_SECONDS", "0.1")
    monkeypatch.setenv("BELAY_CATALOG_RETRY_MOST_SECONDS", "0.2")
    monkeypatch.setenv("BELAY_CATALOG_ALLOW_PRIVATE_SOURCES", "true")
    monkeypatch.setenv("BELAY_CATALOG_PLAIN_SOURCES", "true")


async def test_a_file_that_finds_no_room_is_not_fetched_and_the_next_one_is_once_there_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_IMPORT_PATIENCE_SECONDS", "0")
    with small_disk(world.home / "blobs", "12m") as disk:
        async with file_source(LARGE) as source, world.run("catalog", wire):
            announced = await settled(world, ImportBundle(source=source.url))
            source.says_length = False
            found_out = await settled(world, ImportBundle(source=source.url))
            for end in (announced, found_out):
                assert (end.state, end.faults[0].code, end.faults[0].field) == ("failed", "disk_full", "source")
                assert "bytes are free" in end.faults[0].message
            assert f"{2 * len(LARGE)} bytes are needed" in announced.faults[0].message
            assert world.events(BundleProgressed) == [] or source.sent > 0
            await until_nothing_is_left(world)
            give_room(disk)
            assert (await settled(world, ImportBundle(source=source.url))).state == "available"
            await until_nothing_is_left(world)


@pytest.mark.containers  # they bring the registry
async def test_a_tag_that_moves_while_there_is_no_room_means_what_it_meant_first(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = bundle({"data/noise": noise(2 * PART)}), bundle({"bundle.yaml": manifest("2.0.0")})
    with image_registry(tmp_path) as registry, small_disk(world.home / "blobs", "12m") as disk:
        monkeypatch.setenv("BELAY_CATALOG_PLAIN_REGISTRIES", registry.host)
        made, moved = image(first), image(second)
        old, new = (registry.push("team/lamp", one) for one in (made, moved))
        registry.tag("team/lamp", made, "1.0")
        source = f"oci://{registry.host}/team/lamp:1.0"
        async with world.run("catalog", wire) as service:
            answer = await world.ask(ImportBundle(source=source))
            assert isinstance(answer, CommandAccepted)
            await until_so(lambda: service.pool.fetchval("select trouble_since from publication"))
            registry.tag("team/lamp", moved, "1.0")
            give_room(disk)
            release = await world.until(ReleaseAvailable)
            assert release.bundle_sha256 == sha(first)
            assert release.origin == Origin(source=source, resolved=f"oci://{old}")
            assert (await settled(world, ImportBundle(source=source))).bundle_sha256 == sha(second)
            later = await world.until(ReleaseAvailable, lambda e: e.version == "2.0.0")
            assert later.origin == Origin(source=source, resolved=f"oci://{new}")


async def test_a_validation_tells_how_far_it_is_and_what_it_waits_for(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TOLD_EVERY", 0.001)
    with small_disk(tmp_path / "tmp", "64k") as tmp:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp))
        async with world.run("catalog", wire):
            content = bundle({"data/noise": noise(PART), "chart/Chart.yaml": CHART, "bundle.yaml": WITH_CHART})
            await world.ask(await publication(world, content))
            waiting = await world.until(BundleProgressed, lambda e: e.waits is not None)
            assert waiting.waits is not None
            assert (waiting.phase, waiting.waits.code) == ("validate", "disk_full")
            give_room(tmp)
            release = await world.until(ReleaseAvailable)
            assert release.origin is None
    told = [event for event in world.events(BundleProgressed) if event.step]
    assert {event.step for event in told} <= {"files", "components"}
    assert all(0 <= (e.step_done or 0) <= (e.step_total or 0) and e.total_bytes == len(content) for e in told)
    assert any(event.step == "files" for event in told)


CHART = b"apiVersion: v2\nname: web\nversion: 1.0.0\n"
WITH_CHART = b"""\
app: lamp
version: 1.0.0
components:
  - {driver: helm, name: web, spec: {chart: chart, namespace: lamp}}
"""
