"""Releases prepared, on workers: long fetching first, then one short transaction that settles what came of it.

What a worker that dies has brought into the blob store stays there, held by its preparation; the next one goes on.
"""

import asyncio
import errno
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from pydantic import ValidationError

from services.catalog import domain as catalog
from services.catalog import store as releases
from services.catalog.domain import Release
from services.catalog.preparation import domain, store
from services.catalog.preparation.gathering import BadContent, Gathered, Gatherer
from services.catalog.preparation.handlers import PREPARATIONS, failure
from services.catalog.preparation.pulling import Puller
from services.catalog.settings import CatalogSettings
from shared.blobs import Blobs, BlobStoreFailed, UnknownBlob, WrongContent
from shared.bundle import BundleRefused, digest_of, unpack
from shared.components import UnknownDriver
from shared.components.image_manifests import BadManifest
from shared.core.errors import BelayError, TooLarge, internal_fault, is_transient
from shared.core.transaction import Job, Ledger, Transaction
from shared.downloads.registry import RegistryAway, RegistryRefused
from shared.messages.base import Cause
from shared.messages.catalog import PreparationFailed, ReleasePrepared
from shared.messages.manifest import Manifest

log = structlog.get_logger()

FOR_GOOD: Mapping[type[Exception], str] = {
    UnknownBlob: "bundle_missing",
    BundleRefused: "bundle_refused",
    BadContent: "bundle_refused",
    UnknownDriver: "unknown_driver",
    ValidationError: "bundle_refused",
    BadManifest: "image_unusable",
}
"""What trying again would not mend, by the code that it is told with; RegistryRefused has one of its own."""

PASSING: Mapping[type[Exception], str] = {
    RegistryAway: "registry_unreachable",
    WrongContent: "wrong_content",
    BlobStoreFailed: "store_unreachable",
}
"""What may pass, by the code that it is told with when it does not. Any other trouble of a disk is `disk_failed`."""


class Unwanted(BelayError):
    """Nobody wants this preparation any more; what became of it was told already."""


class PreparationMetrics:
    """Figures of the preparations of one replica."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "belay_catalog_preparation_seconds", "Time of one try to prepare a release", registry=registry
        )
        self.settled = Counter(
            "belay_catalog_prepared", "Preparations by what became of them", ["state"], registry=registry
        )


class Preparer:
    """Performs the jobs of the queue `preparation`."""

    def __init__(
        self, ledger: Ledger, blobs: Blobs, puller: Puller, settings: CatalogSettings, metrics: PreparationMetrics
    ) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._puller = puller
        self._settings = settings
        self._metrics = metrics

    async def perform(self, job: Job) -> None:
        """Prepare one release. What may pass (a registry that is away, a full disk) is tried again for some time."""
        try:
            with self._metrics.seconds.time():
                outcome: Gathered | Cause = await self.gather(job)
        except Unwanted:
            await self._put_down(job)
            return
        except Exception as error:
            if not _understood(error) and job.attempt < self._settings.give_up_after:
                raise  # a defect of ours, or too little memory: again after the lease
            found = await self._cause(job, error)
            if found is None:
                return
            outcome = found
        await self.settle(job, outcome)

    async def gather(self, job: Job) -> Gathered:
        """Bring what the release brings into the blob store. Raises whatever keeps it from that."""

        async def hold(sizes: Mapping[str, int]) -> None:
            async with self._ledger.transaction() as tx:
                await releases.lock_store(tx.conn, shared=True)  # nothing of it is being freed just now
                if not await store.hold_blobs(tx.conn, job.id, sizes):
                    raise Unwanted(job.id)

        async def went_on() -> None:
            async with self._ledger.pool.acquire() as conn:
                await store.went_on(conn, job.id)

        await hold({})
        gatherer = Gatherer(self._blobs, self._puller, hold, went_on)
        async with self._blobs.as_file(job.id) as bundle:
            with tempfile.TemporaryDirectory(prefix="belay-prepare-") as folder:
                unpacked = Path(folder) / "bundle"
                manifest = await asyncio.to_thread(_unpack, bundle, job.id, unpacked)
                return await gatherer.gather(manifest, unpacked)

    async def settle(self, job: Job, outcome: Gathered | Cause) -> None:
        """Write and tell what came of it, if the job is still ours, once."""
        async with self._ledger.transaction() as tx:
            if not await tx.finish_jobs(PREPARATIONS, [job]):
                return
            release = await releases.find_release_of(tx.conn, job.id)
            if release is None:
                return  # it was deleted meanwhile, which was told
            state = await _settle(tx, job, release, outcome)
        if state:
            self._metrics.settled.labels(state).inc()
            about = {"bundle": job.id, "app": release.app, "version": release.version}
            log.info(f"a preparation has ended as {state}", action=f"preparation_{state}", **about)

    async def _cause(self, job: Job, error: Exception) -> Cause | None:
        """Why it fails for good; None = it is tried again."""
        if code := _code_of(error, FOR_GOOD):
            return domain.cause_of(code, str(error))
        if _may_pass(error):
            return await self._try_later(job, error)
        return domain.cause_of("internal", internal_fault(error).message)

    async def _try_later(self, job: Job, error: Exception) -> Cause | None:
        settings = self._settings
        patience = timedelta(seconds=settings.prepare_patience_seconds)
        wait = catalog.wait_before_retry(job.attempt, settings.retry_seconds, settings.retry_most_seconds)
        async with self._ledger.transaction() as tx:
            since = await store.note_trouble(tx.conn, job.id, tx.now)
            if domain.gives_up(since, patience, tx.now):
                return domain.cause_of(failing_code(error), f"{error} (tried for {patience.total_seconds():g} s)")
            await tx.return_jobs(PREPARATIONS, [(job, tx.now + timedelta(seconds=wait))])
        log.warning("a release is prepared later", action="preparation_retry", bundle=job.id, error=repr(error)[:200])
        return None

    async def _put_down(self, job: Job) -> None:
        async with self._ledger.transaction() as tx:
            await tx.finish_jobs(PREPARATIONS, [job])


def _unpack(bundle: Path, sha256: str, target: Path) -> Manifest:
    """Runs in a thread. The digest is checked again, for the store is not ours alone."""
    if (found := digest_of(bundle)) != sha256:
        raise BadContent(f"the bundle in the blob store does not have the content its name promises, but {found}")
    return unpack(bundle, target)


def _code_of(error: Exception, table: Mapping[type[Exception], str]) -> str | None:
    if isinstance(error, RegistryRefused):
        return error.code
    return next((code for kind, code in table.items() if isinstance(error, kind)), None)


def _understood(error: Exception) -> bool:
    return _may_pass(error) or _code_of(error, FOR_GOOD) is not None


def _may_pass(error: Exception) -> bool:
    return is_transient(error) or isinstance(error, WrongContent)


def failing_code(error: Exception) -> str:
    """By which code trouble is told that may pass, and did not."""
    full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
    return "disk_full" if full else _code_of(error, PASSING) or "disk_failed"


async def _settle(tx: Transaction, job: Job, release: Release, outcome: Gathered | Cause) -> domain.State | None:
    """The new state; None when it was settled before (then nothing is said again)."""
    if isinstance(outcome, Cause):
        return await _fail(tx, job, release, outcome)
    try:
        async with tx.conn.transaction():  # undone alone when what it tells is too large to be told
            return await _succeed(tx, job, release, outcome)
    except TooLarge as error:
        return await _fail(tx, job, release, domain.cause_of(error.fault.code, error.fault.message))


async def _succeed(tx: Transaction, job: Job, release: Release, found: Gathered) -> domain.State | None:
    size = await store.settle_prepared(tx.conn, job.id, found.items, found.notes, found.blobs.keys(), tx.now)
    if size is None:
        return None
    event = ReleasePrepared(
        app=release.app,
        version=release.version,
        bundle_sha256=job.id,
        content=tuple(found.items),
        bytes=size,
        notes=tuple(found.notes),
        prepared_at=tx.now,
    )
    await _emit(tx, job, event)
    return domain.State.PREPARED


async def _fail(tx: Transaction, job: Job, release: Release, cause: Cause) -> domain.State | None:
    asking = await store.settle_failed(tx.conn, [job.id], cause, tx.now)
    if job.id not in asking:
        return None
    await _emit(tx, job, failure(release, cause, asking[job.id], tx.now))
    return domain.State.FAILED


async def _emit(tx: Transaction, job: Job, event: ReleasePrepared | PreparationFailed) -> None:
    sequences = await store.count_tellings(tx.conn, [job.id])
    facts = {"correlation_id": job.payload["correlation_id"], "actor": job.payload["actor"]}
    tx.emit(event, sequence=sequences[job.id], **facts)
