"""Whatever interrupts a preparation, somebody goes on where it was, and what came of it is told once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.catalog.app import wire
from services.catalog.preparation.handlers import PREPARATIONS
from services.catalog.preparation.pulling import Puller
from services.catalog.preparation.worker import PreparationMetrics, Preparer
from services.catalog.settings import CatalogSettings
from shared.blobs import Blobs
from shared.core.transaction import Job
from shared.downloads.registry import PART, Access
from shared.messages.catalog import (
    PreparationBegun,
    PreparationFailed,
    PrepareRelease,
    ReleaseAvailable,
    ReleasePrepared,
)
from shared.process.service import Service
from tests.service.catalog.preparing import available, blob, failed, lies, prepare, prepared, with_image, with_wheels
from tests.service.catalog.shelf import publication, rows
from tests.service.catalog.test_interruptions import process
from tests.support.images import PIECE, BreakingRegistry, breaking_registry, image, noise, sha
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

FIGURES = CatalogSettings(retry_seconds=0.1)
LAYER = noise(5 * PART + 3 * PIECE)
UNSEEN = 4 << 20
"""What the buffers of a connection on this machine hold: sent, and not received by anybody."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come soon."""
    monkeypatch.setenv("BELAY_CATALOG_RETRY_SECONDS", "0.1")


@pytest.fixture
async def registry() -> AsyncIterator[BreakingRegistry]:
    async with breaking_registry() as running:
        yield running


async def without_workers(service: Service) -> None:
    """The catalog, but nobody prepares."""
    await wire(service)
    service.parts.clear()


async def validating_only(service: Service) -> None:
    """The catalog, but nobody prepares or frees."""
    await wire(service)
    del service.parts[1:]


def preparer(world: World, service: Service) -> Preparer:
    """A worker that the test moves by hand."""
    blobs = Blobs.open(world.settings("catalog"))
    puller = Puller(blobs, Access(), FIGURES.image_platforms)
    return Preparer(service.ledger, blobs, puller, FIGURES, PreparationMetrics(CollectorRegistry()))


async def taken(world: World, service: Service, content: bytes, lease_seconds: float) -> Job:
    """The job of a release that was just asked for, claimed by a worker of the test."""
    await available(world, content)
    await prepare(world, on_behalf="s1/1")
    [job] = await service.ledger.claim(PREPARATIONS, "test", 1, lease_seconds)
    return job


def parts(world: World) -> list[Path]:
    return list((world.home / "blobs" / "incoming").glob("*.0*"))


def whole_parts(world: World) -> list[Path]:
    return [part for part in parts(world) if part.stat().st_size == PART]


@pytest.mark.parametrize("come", [0, 1, 3, 5], ids=lambda n: f"{n} parts")
async def test_killed_in_the_middle_of_an_image_the_next_one_fetches_no_part_of_it_again(
    world: World, registry: BreakingRegistry, come: int
) -> None:
    """`kill -9` of the process that prepares, while a layer comes; another one goes on."""
    made = image(LAYER)
    registry.stalls_after = come * PART + PIECE
    victim = await process(world)
    try:
        await world.send(await publication(world, with_image(registry.add("app", made))))
        await world.until(ReleaseAvailable)
        await prepare(world, on_behalf="s1/1")
        await until_so(
            lambda: is_true(len(whole_parts(world)) == come and registry.sent.get(sha(LAYER), 0) > come * PART)
        )
    finally:
        victim.kill()
        await victim.wait()
    registry.stalls_after = None
    registry.goes_on.set()
    second = await process(world)
    try:
        told = await prepared(world)
    finally:
        second.terminate()
        await second.wait()
    assert told.bytes == made.bytes
    assert lies(world, sha(LAYER))
    assert registry.began[sha(LAYER)] == ([0, come * PART] if come else [0, 0])
    assert registry.sent[sha(LAYER)] <= len(LAYER) + PART + UNSEEN
    assert len(world.events(ReleasePrepared)) == 1
    assert parts(world) == []


async def test_killed_again_and_again_at_any_moment_it_is_told_once_and_little_is_fetched_twice(
    world: World, registry: BreakingRegistry
) -> None:
    moments, kills = random.Random(13), 3  # noqa: S311
    made = image(LAYER, *(noise(2_000_000, n) for n in range(3)))
    registry.pace = 0.005
    await world.send(await publication(world, with_image(registry.add("app", made))))
    for number in range(kills):
        enough = sum(registry.sent.values()) + moments.randrange(made.bytes // (kills + 1))
        victim = await process(world)
        try:
            if number == 0:  # later ones find the job, and may have fetched all before they could answer
                await world.until(ReleaseAvailable)
                await prepare(world, on_behalf="s1/1")
            await until_so(lambda enough=enough: is_true(sum(registry.sent.values()) >= enough))
        finally:
            victim.kill()
            await victim.wait()
    registry.pace = 0
    last = await process(world)
    try:
        told = await prepared(world)
    finally:
        last.terminate()
        await last.wait()
    assert told.bytes == made.bytes
    assert all(lies(world, digest) for digest in (made.sha256, *made.blobs))
    assert sum(registry.sent.values()) <= made.bytes + kills * (PART + UNSEEN)
    assert (len(world.events(PreparationBegun)), len(world.events(ReleasePrepared))) == (1, 1)
    assert parts(world) == []


async def is_true(found: bool) -> bool:
    return found


async def test_a_worker_that_dies_after_fetching_is_replaced_and_cannot_settle(
    world: World, registry: BreakingRegistry
) -> None:
    made = image(noise(100_000))
    async with world.run("catalog", validating_only) as service:
        job = await taken(world, service, with_image(registry.add("app", made)), lease_seconds=0.5)
        zombie = preparer(world, service)
        found = await zombie.gather(job)
        async with world.run("catalog", wire, instance="2"):
            await prepared(world)
            await zombie.settle(job, found)
            await available(world, with_wheels("2.0.0"), "2.0.0")
        assert await rows(service, "job") == 0
    assert len(world.events(ReleasePrepared)) == 1
    assert registry.sent == {digest: len(content) for digest, content in made.blobs.items()}


async def test_a_settlement_that_breaks_off_leaves_nothing_half_done(world: World) -> None:
    async with world.run("catalog", validating_only) as service:
        job = await taken(world, service, with_wheels(), lease_seconds=0.5)
        worker = preparer(world, service)
        found = await worker.gather(job)
        await service.pool.execute("alter table prepared_item add constraint broken check (position < 0) not valid")
        with pytest.raises(Exception, match="broken"):
            await worker.settle(job, found)
        await service.pool.execute("alter table prepared_item drop constraint broken")
        assert await service.pool.fetchval("select state from preparation") == "preparing"
        assert await rows(service, "prepared_item") == 0
        async with world.run("catalog", wire, instance="2"):
            await prepared(world)
    assert len(world.events(ReleasePrepared)) == 1


async def test_a_layer_that_breaks_off_again_and_again_goes_on_each_time(
    world: World, registry: BreakingRegistry
) -> None:
    made = image(LAYER)
    registry.cut_after = [10**9, PART + 5 * PIECE, 3 * PIECE, 2 * PART]  # the configuration is the first blob
    async with world.run("catalog", wire):
        await available(world, with_image(registry.add("app", made)))
        await prepare(world)
        await prepared(world)
    assert lies(world, sha(LAYER))
    assert registry.sent[sha(LAYER)] <= len(LAYER) + 3 * UNSEEN
    assert sorted(registry.began[sha(LAYER)]) == registry.began[sha(LAYER)]


async def test_a_registry_without_ranges_is_read_from_the_beginning(world: World, registry: BreakingRegistry) -> None:
    registry.ranges = False
    registry.cut_after = [10**9, 2 * PART]
    async with world.run("catalog", wire):
        await available(world, with_image(registry.add("app", image(LAYER))))
        await prepare(world)
        await prepared(world)
    assert lies(world, sha(LAYER))


async def test_what_is_not_what_its_digest_says_is_never_kept(
    world: World, registry: BreakingRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_PREPARE_PATIENCE_SECONDS", "0.5")
    made = image(noise(1000))
    async with world.run("catalog", wire):
        await available(world, with_image(registry.add("app", made)))
        registry.blobs[sha(noise(1000))] = noise(1000, seed=9)
        await prepare(world)
        assert (await failed(world)).cause.code == "wrong_content"
        registry.blobs[sha(noise(1000))] = noise(PART + 2_000, seed=9)  # far more than its manifest says
        await prepare(world)
        await failed(world, nth=2)
        assert not list((world.home / "blobs" / "incoming").glob(f"{sha(noise(1000))}*"))
        registry.blobs[sha(noise(1000))] = noise(1000)
        await prepare(world)
        await prepared(world)
    assert lies(world, sha(noise(1000)))


async def test_parts_that_a_loss_of_power_spoilt_are_fetched_anew(world: World, registry: BreakingRegistry) -> None:
    async with world.run("catalog", validating_only) as service:
        job = await taken(world, service, with_image(registry.add("app", image(LAYER))), lease_seconds=60)
        blobs = Blobs.open(world.settings("catalog"))
        await blobs.put_part(sha(LAYER), 0, bytes(PART))
        await preparer(world, service).perform(job)
        async with world.run("catalog", wire, instance="2"):
            await prepared(world)
    assert lies(world, sha(LAYER))


async def test_what_had_come_whole_is_put_together_without_asking_for_it(
    world: World, registry: BreakingRegistry
) -> None:
    async with world.run("catalog", validating_only) as service:
        job = await taken(world, service, with_image(registry.add("app", image(LAYER))), lease_seconds=60)
        blobs = Blobs.open(world.settings("catalog"))
        for offset in range(0, len(LAYER), PART):
            await blobs.put_part(sha(LAYER), offset, LAYER[offset : offset + PART])
        await preparer(world, service).perform(job)
        await prepared(world)
    assert lies(world, sha(LAYER))
    assert sha(LAYER) not in registry.sent


async def test_a_bundle_that_vanished_or_was_changed_is_told_as_the_cause(world: World) -> None:
    async with world.run("catalog", wire):
        release = await available(world, with_wheels())
        blob(world, release.bundle_sha256).write_bytes(b"something else")
        await prepare(world)
        assert (await failed(world)).cause.code == "bundle_refused"
        blob(world, release.bundle_sha256).unlink()
        await prepare(world)
        assert (await failed(world, nth=2)).cause.code == "bundle_missing"


async def test_a_full_disk_is_waited_for_and_then_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_CATALOG_PREPARE_PATIENCE_SECONDS", "0.5")
    monkeypatch.setattr("tempfile.tempdir", "/dev/full")
    async with world.run("catalog", wire):
        await available(world, with_wheels())
        await prepare(world)
        told = await failed(world)
    assert told.cause.code in ("disk_full", "disk_failed")


async def test_the_orders_of_people_and_steps_at_any_moment_are_all_answered(
    world: World, registry: BreakingRegistry
) -> None:
    """Asked for before, while and after it fails, then while and after it succeeds: nobody is left waiting."""
    made = image(noise(300_000))
    reference = f"{registry.host}/app@sha256:{made.sha256}"
    async with world.run("catalog", wire), world.run("catalog", wire, instance="2"):
        await available(world, with_image(reference))
        asked = []
        for n in range(6):
            asked.append(f"s{n}/1")
            await world.send(PrepareRelease(app="lamp", version="1.0.0", on_behalf=f"s{n}/1"))
        for one in asked:
            await world.until(PreparationFailed, lambda told, one=one: one in told.on_behalf)  # type: ignore[misc]
        registry.add("app", made)
        await asyncio.gather(*(prepare(world, on_behalf=f"s{n}/2") for n in range(6)))
        await prepared(world)
    assert len(world.events(ReleasePrepared)) == 1
