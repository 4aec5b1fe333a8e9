"""Bundles fetched from where they lie, on workers: long fetching first, then one short transaction that publishes.

What came lies in the blob store in parts, so that whoever goes on after a kill, on whichever machine, asks the source
only for what follows. The whole is hashed when its parts are joined, whoever brought them.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from services.catalog.domain import wait_before_retry
from services.catalog.preparation.domain import gives_up
from services.catalog.publication import domain, store
from services.catalog.publication.by_address import ByAddress
from services.catalog.publication.by_reference import ByReference
from services.catalog.publication.domain import Import
from services.catalog.publication.fetching import Rules, SourceRefused
from services.catalog.publication.handlers import IMPORTS, Intake, publish
from services.catalog.publication.import_faults import OF_THE_BUNDLE, about, fault_for_good, passing_code, understood
from services.catalog.publication.receiving import Receiving, parts_of
from services.catalog.settings import CatalogSettings
from shared.blobs import Blob, Blobs, BlobStoreFailed
from shared.core.inbox import Rejected
from shared.core.transaction import Job, Ledger
from shared.downloads.surroundings import shown
from shared.messages.base import Cause, Fault
from shared.messages.catalog import BundleProgressed, Origin, PublicationSettled, PublishRelease
from shared.wire.codec import Envelope

log = structlog.get_logger()


class Importer:
    """Performs the jobs of the queue `import`."""

    def __init__(self, ledger: Ledger, intake: Intake, settings: CatalogSettings) -> None:
        self._ledger = ledger
        self._intake = intake
        self._blobs: Blobs = intake.blobs
        self._settings = settings
        receiving = Receiving(ledger, intake.blobs, intake.limit)
        self._by_address = ByAddress(receiving, Rules(settings.source_bounds, settings.plain_sources))
        self._by_reference = ByReference(receiving, settings)

    async def perform(self, job: Job) -> None:
        """Fetch one bundle. What may pass (a source that is away, a full disk) is tried again for some time."""
        async with self._ledger.pool.acquire() as conn:
            wanted = await store.find_import(conn, job.id)
        if wanted is None:
            return await self._put_down(job)
        try:
            blob = await self._in_time(job, wanted)
        except Exception as error:
            if not understood(error) and job.attempt < self._settings.give_up_after:
                raise  # a defect of ours, or too little memory: again after the lease
            fault = fault_for_good(error) or await self._try_later(job, error)
            return await self._fail(job, fault) if fault else None
        return await self._publish(job, wanted, blob)

    async def _in_time(self, job: Job, wanted: Import) -> Blob:
        left = wanted.asked_at + timedelta(seconds=self._settings.import_seconds) - datetime.now(UTC)
        try:
            async with asyncio.timeout(left.total_seconds()) as limit:
                return await self._fetch(job, wanted)
        except TimeoutError as error:
            if not limit.expired():
                raise
            most = f"{self._settings.import_seconds:g} s (BELAY_CATALOG_IMPORT_SECONDS)"
            raise SourceRefused("too_slow", f"it did not come within {most}") from error

    async def _fetch(self, job: Job, wanted: Import) -> Blob:
        if wanted.sha256 and (size := await self._blobs.size(wanted.sha256)) is not None:
            return Blob(wanted.sha256, size)
        if wanted.source.startswith("oci://"):
            return await self._by_reference.fetch(job, wanted)
        return await self._by_address.fetch(job, wanted)

    async def _try_later(self, job: Job, error: Exception) -> Fault | None:
        """Why it fails after all; None = it is tried again."""
        settings = self._settings
        patience = timedelta(seconds=settings.import_patience_seconds)
        wait = wait_before_retry(job.attempt, settings.retry_seconds, settings.retry_most_seconds)
        code = passing_code(error)
        come = await self._come(job)
        async with self._ledger.transaction() as tx:
            since = await store.note_trouble(tx.conn, job.id, tx.now)
            if gives_up(since, patience, tx.now):
                return about(code, f"{error} (tried for {patience.total_seconds():g} s)")
            await tx.return_jobs(IMPORTS, [(job, tx.now + timedelta(seconds=wait))])
            waits = Cause(code=code, message=domain.short(str(error)))
            tx.emit(BundleProgressed(publication=job.id, phase="fetch", done_bytes=come, waits=waits, at=tx.now))
        log.warning("a bundle is fetched later", action="import_retry", publication=job.id, error=repr(error)[:200])
        return None

    async def _come(self, job: Job) -> int:
        """How much of a file lies here; none that can be seen where the store is what fails."""
        with suppress(BlobStoreFailed):
            return await self._blobs.coming(parts_of(job))
        return 0

    async def _publish(self, job: Job, wanted: Import, blob: Blob) -> None:
        async with self._ledger.transaction() as tx:
            ended = await store.end_import(tx.conn, job.id) if await tx.finish_jobs(IMPORTS, [job]) else None
            if ended is None:
                return
            envelope = Envelope(
                data=PublishRelease(
                    bundle_sha256=blob.sha256,
                    bundle_bytes=blob.size,
                    file_name=ended.file_name,
                    app=wanted.app,
                    version=wanted.version,
                ),
                id=job.id,
                source=tx.source,
                time=tx.now,
                correlation_id=ended.correlation_id,
                actor=ended.actor,
            )
            (reply,) = await publish(self._intake, tx, [envelope])
            origin = Origin(source=shown(wanted.source), resolved=ended.resolved)
            await store.note_origin(tx.conn, blob.sha256, origin)
            if isinstance(reply, Rejected):
                settled = PublicationSettled(publication=job.id, state="rejected", faults=reply.faults)
                tx.emit(settled, sequence=1, cause=envelope)
        log.info("fetched a bundle", action="bundle_fetched", publication=job.id, bundle=blob.sha256)

    async def _fail(self, job: Job, fault: Fault) -> None:
        state = "rejected" if fault.code in OF_THE_BUNDLE else "failed"
        async with self._ledger.transaction() as tx:
            ended = await store.end_import(tx.conn, job.id) if await tx.finish_jobs(IMPORTS, [job]) else None
            if ended is None:
                return
            settled = PublicationSettled(publication=job.id, state=state, faults=(fault,))
            tx.emit(settled, sequence=1, correlation_id=ended.correlation_id, actor=ended.actor)
        await self._blobs.drop_parts(parts_of(job))
        await self._by_reference.drop(job)
        log.info("a bundle could not be fetched", action="import_failed", publication=job.id, code=fault.code)

    async def _put_down(self, job: Job) -> None:
        async with self._ledger.transaction() as tx:
            await tx.finish_jobs(IMPORTS, [job])
