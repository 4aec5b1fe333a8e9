"""Whatever interrupts a validation, it is done over, and settled once."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.catalog.app import wire
from services.catalog.publication.handlers import VALIDATIONS
from services.catalog.settings import CatalogSettings
from services.catalog.validation import ValidationMetrics, Validator
from shared.blobs import Blobs
from shared.core.transaction import Job
from shared.messages.catalog import CommandAccepted, PublishRelease, ReleaseAvailable, ReleaseRejected
from shared.process.service import Service
from tests.service.catalog.shelf import publication, put, rows
from tests.support.bundles import bundle, manifest
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

GOOD = bundle()
FIGURES = CatalogSettings(retry_seconds=0.1)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come soon."""
    monkeypatch.setenv("BELAY_CATALOG_RETRY_SECONDS", "0.1")


async def without_workers(service: Service) -> None:
    """The catalog, but nobody validates."""
    await wire(service)
    service.parts.clear()


def worker_of(world: World, service: Service) -> Validator:
    """A worker that the test moves by hand."""
    return Validator(
        service.ledger, Blobs.open(world.settings("catalog")), FIGURES, ValidationMetrics(CollectorRegistry())
    )


async def taken(world: World, service: Service, content: bytes, lease_seconds: float) -> Job:
    """The job of a bundle that was just published, claimed by a worker of the test."""
    assert isinstance(await world.ask(await publication(world, content)), CommandAccepted)
    [job] = await service.ledger.claim(VALIDATIONS, "test", 1, lease_seconds)
    return job


async def _all_sent(service: Service) -> bool:
    """Whether nothing waits in the outbox."""
    return bool(await service.pool.fetchval("select not exists (select from outbox)"))


def blob_of(world: World, command: PublishRelease) -> Path:
    return world.home / "blobs" / command.bundle_sha256[:2] / command.bundle_sha256


async def test_a_worker_that_dies_after_reading_is_replaced_and_cannot_settle(world: World) -> None:
    async with world.run("catalog", without_workers) as service:
        job = await taken(world, service, GOOD, lease_seconds=0.5)
        zombie = worker_of(world, service)
        finding = await zombie.examine(job)
        assert finding.manifest
        assert [await rows(service, table) for table in ("app", "release", "component")] == [0, 0, 0]
        async with world.run("catalog", wire, instance="2"):
            await world.until(ReleaseAvailable)
            await zombie.settle(job, finding)
            await world.ask(await publication(world, bundle({"bundle.yaml": manifest("2.0")})))
            await world.until(ReleaseAvailable, lambda release: release.version == "2.0")
        assert [release.version for release in world.events(ReleaseAvailable)] == ["1.0.0", "2.0"]
        assert [await rows(service, table) for table in ("release", "job")] == [2, 0]


async def test_a_settlement_that_breaks_off_leaves_nothing_half_done(world: World) -> None:
    async with world.run("catalog", without_workers) as service:
        job = await taken(world, service, GOOD, lease_seconds=0.5)
        worker = worker_of(world, service)
        finding = await worker.examine(job)
        await until_so(lambda: _all_sent(service))  # how far it was
        await service.pool.execute("alter table component add constraint broken check (position < 0) not valid")
        with pytest.raises(Exception, match="broken"):
            await worker.settle(job, finding)
        await service.pool.execute("alter table component drop constraint broken")
        assert [await rows(service, t) for t in ("app", "release", "job")] == [0, 0, 1]
        assert await _all_sent(service)
        async with world.run("catalog", wire, instance="2"):
            assert (await world.until(ReleaseAvailable)).version == "1.0.0"


async def test_a_service_that_stops_in_the_middle_goes_on_after_its_start(world: World) -> None:
    large = bundle({"data/noise": os.urandom(20_000_000)})
    async with world.run("catalog", wire):
        await world.ask(await publication(world, large))
    async with world.run("catalog", wire) as service:
        assert (await world.until(ReleaseAvailable)).bundle_bytes == len(large)
        assert await rows(service, "release") == 1
    assert len(world.events(ReleaseAvailable)) == 1


async def test_a_disk_that_fails_is_waited_for_and_not_blamed_on_the_bundle(world: World) -> None:
    async with world.run("catalog", without_workers) as service:
        command = await publication(world, GOOD)
        await world.ask(command)
        blob_of(world, command).unlink()
        blob_of(world, command).symlink_to("/proc/self/mem")  # a file that is there and cannot be read
        worker = worker_of(world, service)
        [job] = await service.ledger.claim(VALIDATIONS, "test", 1, 60)
        await worker.perform(job)
        assert await service.pool.fetchval("select state from bundle") == "validating"
        assert await service.pool.fetchval("select owner is null and due_at > now() - interval '1 s' from job")
        blob_of(world, command).unlink()
        await put(world, GOOD)
        async with world.run("catalog", wire, instance="2"):
            await world.until(ReleaseAvailable)
    assert world.events(ReleaseRejected) == []


async def test_a_bundle_that_vanished_is_rejected_and_may_come_again(world: World) -> None:
    async with world.run("catalog", without_workers) as service:
        command = await publication(world, GOOD)
        await world.ask(command)
        blob_of(world, command).unlink()
        [job] = await service.ledger.claim(VALIDATIONS, "test", 1, 60)
        await worker_of(world, service).perform(job)
        assert (await world.until(ReleaseRejected)).faults[0].code == "unknown_bundle"
    async with world.run("catalog", wire):
        answer = await world.ask(await publication(world, GOOD))
        assert isinstance(answer, CommandAccepted)
        assert answer.result["state"] == "validating"
        release = await world.until(ReleaseAvailable)
        assert next(e for e in world.seen if e.data is release).sequence == 2


async def test_a_bundle_that_was_changed_in_the_store_is_rejected(world: World) -> None:
    async with world.run("catalog", without_workers) as service:
        command = await publication(world, GOOD)
        await world.ask(command)
        blob_of(world, command).write_bytes(bundle({"bundle.yaml": manifest("6.6.6")}))
        [job] = await service.ledger.claim(VALIDATIONS, "test", 1, 60)
        await worker_of(world, service).perform(job)
        assert (await world.until(ReleaseRejected)).faults[0].code == "wrong_digest"


async def test_a_killed_process_leaves_nothing_that_the_next_one_cannot_finish(world: World) -> None:
    command = await publication(world, bundle({"data/noise": os.urandom(30_000_000)}))
    first = await process(world)
    try:
        await world.ask(command)
    finally:
        first.kill()
        await first.wait()
    second = await process(world)
    try:
        release = await world.until(ReleaseAvailable)
    finally:
        second.terminate()
        assert await second.wait() == 0
    assert world.events(ReleaseAvailable) == [release]


async def process(world: World) -> asyncio.subprocess.Process:
    """The catalog as a process of its own."""
    settings = world.settings("catalog")
    names = ("kafka", "postgres", "home", "topic_prefix", "lease_seconds")
    environment = {f"BELAY_{name.upper()}": str(getattr(settings, name)) for name in names}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.catalog", env=os.environ | environment, stderr=asyncio.subprocess.DEVNULL
    )
