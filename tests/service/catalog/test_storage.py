"""What nobody needs is freed, at once or when it is due; what somebody may need never is, whatever is interrupted."""

import asyncio
import itertools
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.catalog.app import wire
from services.catalog.deletion.handlers import FREEING
from services.catalog.publication.handlers import VALIDATIONS
from services.catalog.settings import CatalogSettings
from services.catalog.storage import Storage
from services.catalog.store import mark_freed
from shared.blobs import Blobs
from shared.core.transaction import Job
from shared.messages.catalog import (
    CommandAccepted,
    CommandRejected,
    PublishRelease,
    ReleaseAvailable,
    ReleaseRejected,
    ReleaseWithdrawn,
    StorageMeasured,
    WithdrawRelease,
)
from shared.messages.deployer import ReleaseUnneeded
from shared.process.service import Service
from tests.service.catalog.preparing import available, blob, lies, prepare, prepared, with_wheels
from tests.service.catalog.shelf import publication, put
from tests.service.catalog.test_interruptions import process
from tests.support.bundles import bundle, manifest
from tests.support.patience import until_so
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

GOOD = bundle()
BAD = bundle({"bundle.yaml": manifest(more="colour: red\n")})
SOON = CatalogSettings(withdrawn_days=0, measure_seconds=0.2)
SETTINGS = {"BELAY_CATALOG_WITHDRAWN_DAYS": "0", "BELAY_CATALOG_MEASURE_SECONDS": "0.2"}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Withdrawn releases are due at once, and the store is looked through often."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


async def without_workers(service: Service) -> None:
    """The catalog, but nobody validates or frees."""
    await wire(service)
    service.parts.clear()


def place(world: World, command: PublishRelease) -> Path:
    return world.home / "blobs" / command.bundle_sha256[:2] / command.bundle_sha256


async def gone(path: Path) -> None:
    async def is_gone() -> bool:
        return not await asyncio.to_thread(path.exists)

    await until_so(is_gone)


async def job_of(service: Service, queue: str) -> Job:
    jobs: list[Job] = []

    async def claimed() -> bool:
        jobs.extend(await service.ledger.claim(queue, "test", 1, 60))
        return bool(jobs)

    await until_so(claimed)
    return jobs[0]


async def done(service: Service, queue: str) -> None:
    """Nothing of the queue is left."""
    await until_so(lambda: service.pool.fetchval("select not exists (select from job where queue = $1)", queue))


async def test_the_content_of_a_rejected_bundle_is_freed_at_once(world: World) -> None:
    async with world.run("catalog", wire) as service:
        command = await publication(world, BAD)
        await world.ask(command)
        await world.until(ReleaseRejected)
        await gone(place(world, command))
        await until_so(lambda: service.pool.fetchval("select freed_at is not null from bundle"))  # noted after it went
        again = await world.ask(await publication(world, BAD))
        assert isinstance(again, CommandAccepted)  # it may come again, is judged again, and goes again
        await world.until(ReleaseRejected, lambda _: len(world.events(ReleaseRejected)) == 2)
        await gone(place(world, command))


async def test_what_is_available_stays_however_often_it_is_published_and_freed(world: World) -> None:
    async with world.run("catalog", wire) as service:
        command = await publication(world, GOOD)
        await world.ask(command)
        await world.until(ReleaseAvailable)
        await world.ask(await publication(world, GOOD))
        async with service.ledger.transaction() as tx:  # as if something had gone wrong
            await tx.put_jobs(FREEING, [(command.bundle_sha256, {})])
        await done(service, FREEING)
        assert place(world, command).exists()
        other = bundle({"data/more.txt": b"other content of the same version"})
        refused = await publication(world, other)
        await world.ask(refused)
        await world.until(ReleaseRejected)
        await gone(place(world, refused))
        assert place(world, command).exists()


async def test_an_upload_between_the_rejection_and_the_freeing_is_not_lost(world: World) -> None:
    async with world.run("catalog", without_workers) as service:
        command = await publication(world, BAD)
        await world.ask(command)
        await settle_as_rejected(service, command)
        job = await job_of(service, FREEING)
        await put(world, BAD)  # somebody uploads it again; its command is still on its way
        await storage_of(service).free(job)
        assert place(world, command).exists()
        assert isinstance(await world.ask(command), CommandAccepted)


async def settle_as_rejected(service: Service, command: PublishRelease) -> None:
    """What a worker does that finds a fault, and dies before anything else."""
    async with service.ledger.transaction() as tx:
        [job] = await service.ledger.claim(VALIDATIONS, "test", 1, 60)
        await tx.finish_jobs(VALIDATIONS, [job])
        await tx.conn.execute("update bundle set state = 'rejected', faults = '[1]', settled_at = now()")
        await tx.put_jobs(FREEING, [(command.bundle_sha256, {})])


async def test_a_publication_waits_for_a_freeing_and_then_says_what_is_there(world: World) -> None:
    async with world.run("catalog", without_workers) as service:
        command = await publication(world, BAD)
        await world.ask(command)
        await settle_as_rejected(service, command)
        async with service.pool.acquire() as conn, conn.transaction():
            await conn.execute("select pg_advisory_xact_lock(hashtext(current_schema() || '.blobs'))")
            asked = asyncio.create_task(world.ask(command))
            await until_so(lambda: conn.fetchval("select exists (select from pg_locks where not granted)"))
            place(world, command).unlink()
        answer = await asked
        assert isinstance(answer, CommandRejected)
        assert answer.code == "unknown_bundle"
        assert await service.pool.fetchval("select state from bundle") == "rejected"


@pytest.mark.parametrize("deleted", [False, True], ids=["before it is removed", "before it is written down"])
async def test_a_freeing_that_is_killed_is_done_by_the_next(world: World, deleted: bool) -> None:
    async with world.run("catalog", without_workers) as service:
        command = await publication(world, BAD)
        await world.ask(command)
        await settle_as_rejected(service, command)
        await service.ledger.claim(FREEING, "killed", 1, 0.1)
        if deleted:
            place(world, command).unlink()
        async with world.run("catalog", wire, instance="2"):
            await done(service, FREEING)
        assert not place(world, command).exists()
        assert await service.pool.fetchval("select freed_at is not null from bundle")


async def test_killed_at_any_moment_it_keeps_what_is_needed_and_frees_all_else(world: World) -> None:
    bad = [bundle({"bundle.yaml": manifest(f"0.{n}", more="colour: red\n")}) for n in range(12)]
    commands = [await publication(world, content) for content in bad]
    good = await publication(world, GOOD)
    for command in (*commands, good):
        await world.send(command)
    for rejected in (1, 4, 8):
        victim = await process(world)
        await world.until(ReleaseRejected, lambda _, n=rejected: len(world.events(ReleaseRejected)) >= n)
        victim.kill()
        await victim.wait()
    last = await process(world)
    try:
        await world.until(ReleaseAvailable)
        for command in commands:
            await gone(place(world, command))
    finally:
        last.terminate()
        await last.wait()
    assert place(world, good).exists()
    settled = {event.bundle_sha256 for event in world.events(ReleaseRejected)}  # a record may be sent twice
    assert settled == {command.bundle_sha256 for command in commands}


async def test_what_a_crash_left_between_upload_and_row_is_found_and_freed_later(world: World) -> None:
    orphan, fresh = await publication(world, BAD), await publication(world, GOOD)
    yesterday = (datetime.now(UTC) - timedelta(hours=25)).timestamp()
    os.utime(place(world, orphan), (yesterday, yesterday))
    async with world.run("catalog", wire) as service:
        await gone(place(world, orphan))
        await done(service, FREEING)
        assert place(world, fresh).exists()


async def withdrawn(world: World) -> PublishRelease:
    command = await publication(world, GOOD)
    await world.ask(command)
    await world.until(ReleaseAvailable)
    await world.ask(WithdrawRelease(app="lamp", version="1.0.0"))
    await world.until(ReleaseWithdrawn)
    return command


def unneeded(command: PublishRelease) -> ReleaseUnneeded:
    return ReleaseUnneeded(app="lamp", version="1.0.0", bundle_sha256=command.bundle_sha256)


async def looked_through(service: Service) -> None:
    """The store is looked through once more, and what came of it is done."""
    await storage_of(service).look()
    await done(service, FREEING)


def storage_of(service: Service) -> Storage:
    return Storage(service.ledger, Blobs.open(service.settings), SOON, service.settings.max_bundle_bytes)


async def test_a_withdrawn_release_stays_until_it_is_said_that_no_site_needs_it(world: World) -> None:
    async with world.run("catalog", wire) as service:
        command = await withdrawn(world)
        await looked_through(service)
        assert place(world, command).exists()
        await world.send(unneeded(command))
        await gone(place(world, command))
        await done(service, FREEING)
        assert await service.pool.fetchval("select freed_at is not null from bundle")


async def test_a_withdrawn_release_is_freed_when_it_is_due_and_not_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_CATALOG_WITHDRAWN_DAYS", "1")
    async with world.run("catalog", wire) as service:
        command = await withdrawn(world)
        await world.send(unneeded(command))
        await until_so(lambda: service.pool.fetchval("select unneeded_at is not null from bundle"))
        await looked_through(service)
        assert place(world, command).exists()
        await service.pool.execute("update bundle set settled_at = now() - interval '25 hours'")
        await gone(place(world, command))


async def test_a_release_that_is_not_withdrawn_is_never_unneeded(world: World) -> None:
    async with world.run("catalog", wire) as service:
        command = await publication(world, GOOD)
        await world.ask(command)
        await world.until(ReleaseAvailable)
        await world.send(unneeded(command))
        await world.ask(await publication(world, BAD))  # rejected after it, so it was heard
        await world.until(ReleaseRejected)
        await looked_through(service)
        assert place(world, command).exists()
        with pytest.raises(Exception, match="freed_when_nobody_needs_it"):
            await service.pool.execute("update bundle set freed_at = now() where state = 'available'")


async def test_how_much_there_is_is_said_when_it_changes_and_only_once(world: World) -> None:
    async with world.run("catalog", wire) as service, world.run("catalog", wire, instance="2"):
        command = await withdrawn(world)
        said = await world.until(StorageMeasured, lambda m: m.withdrawn_bytes == len(GOOD))
        assert (said.bundles, said.used_bytes, said.reclaimable_bytes) == (1, len(GOOD), 0)
        assert said.free_bytes
        await world.send(unneeded(command))
        await world.until(StorageMeasured, lambda m: m.bundles == 0 and m.used_bytes == 0)
        for _ in range(3):
            await looked_through(service)
        told = [m.model_dump(exclude={"measured_at"}) for m in world.events(StorageMeasured)]
        assert all(one != after for one, after in itertools.pairwise(told))


async def test_a_bundle_larger_than_the_limit_is_refused_with_the_limit(world: World) -> None:
    async with world.run("catalog", wire, max_bundle_bytes=len(GOOD) - 1):
        answer = await world.ask(await publication(world, GOOD))
        assert isinstance(answer, CommandRejected)
        assert (answer.code, answer.faults[0].field) == ("too_large", "bundle_bytes")
        assert str(len(GOOD) - 1) in answer.faults[0].message


# -- what was prepared ------------------------------------------------------------------------------------------------


async def test_what_was_prepared_is_freed_with_the_last_bundle_that_has_it(world: World) -> None:
    async with world.run("catalog", wire) as service:
        first = await available(world, with_wheels())
        second = await available(world, with_wheels("2.0.0"), "2.0.0")
        for version in ("1.0.0", "2.0.0"):
            await prepare(world, version)
        content = [item.sha256 for item in (await prepared(world, "2.0.0")).content]
        size = sum(blob(world, one).stat().st_size for one in content)
        said = await world.until(StorageMeasured, lambda measured: measured.prepared_bytes == size)
        assert said.bundles == 2
        await withdraw_and_free(world, first)
        assert all(lies(world, one) for one in content)
        await withdraw_and_free(world, second)
        for one in content:
            await gone(blob(world, one))
        await done(service, FREEING)
        assert await service.pool.fetchval("select count(*) from blob_holder where held") == 0


async def withdraw_and_free(world: World, release: ReleaseAvailable) -> None:
    await world.ask(WithdrawRelease(app=release.app, version=release.version))
    await world.send(ReleaseUnneeded(app=release.app, version=release.version, bundle_sha256=release.bundle_sha256))
    await gone(blob(world, release.bundle_sha256))


async def test_what_a_release_holds_is_neither_freed_nor_forgotten_however_old_it_is(world: World) -> None:
    async with world.run("catalog", wire) as service:
        await available(world, with_wheels())
        await prepare(world)
        item = (await prepared(world)).content[0]
        yesterday = (datetime.now(UTC) - timedelta(hours=25)).timestamp()
        os.utime(blob(world, item.sha256), (yesterday, yesterday))
        async with service.ledger.transaction() as tx:  # as if something had gone wrong
            await tx.put_jobs(FREEING, [(item.sha256, {})])
        await looked_through(service)
        assert lies(world, item.sha256)
        async with service.pool.acquire() as conn:
            await mark_freed(conn, item.sha256, datetime.now(UTC))
        assert await service.pool.fetchval("select exists (select from blob_holder where sha256 = $1)", item.sha256)
