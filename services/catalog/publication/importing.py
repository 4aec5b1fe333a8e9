"""Bundles fetched from where they lie, on workers: long fetching first, then one short transaction that publishes.

What came lies in the blob store in parts, so that whoever goes on after a kill, on whichever machine, asks the source
only for what follows. The whole is hashed when its parts are joined, whoever brought them.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from services.catalog.domain import wait_before_retry
from services.catalog.preparation.domain import gives_up
from services.catalog.preparation.pulling import Puller
from services.catalog.preparation.worker import failing_code
from services.catalog.publication import domain, store
from services.catalog.publication.domain import Import
from services.catalog.publication.fetching import Answer, Rules, SourceAway, SourceRefused, asked
from services.catalog.publication.handlers import IMPORTS, Intake, publish
from services.catalog.settings import CatalogSettings
from shared.blobs import Blob, Blobs, BlobStoreFailed, WrongContent
from shared.bundle import fault_of_size
from shared.components.image_manifests import BadManifest, ImageManifest, read
from shared.components.images import Image, image_of
from shared.core.errors import internal_fault, is_transient
from shared.core.inbox import Rejected
from shared.core.transaction import Job, Ledger
from shared.downloads.registry import PART, Access, RegistryAway, RegistryRefused, manifest_of, resolve
from shared.messages.base import Cause, Fault
from shared.messages.catalog import BundleProgressed, Origin, PublicationSettled, PublishRelease
from shared.targets import TargetRefused, UnknownHost, check_target
from shared.wire.codec import Envelope

log = structlog.get_logger()

GZIP = b"\x1f\x8b"
TOLD_EVERY = 1.0
"""Seconds between two words on how far it is."""

FOR_GOOD: Mapping[type[Exception], str] = {
    WrongContent: "wrong_digest",
    BadManifest: "not_a_bundle",
    TargetRefused: "private_source",
    UnknownHost: "source_unreachable",
}
"""What trying again would not mend, by the code that it is told with; refusals have one of their own."""

PASSING: Mapping[type[Exception], str] = {SourceAway: "source_unreachable", RegistryAway: "registry_unreachable"}
"""What may pass, by the code that it is told with when it does not; else as preparations tell it."""

OF_THE_BUNDLE = frozenset({"wrong_digest", "not_a_bundle", "not_gzip", "too_large"})
"""Something is wrong with what lies there; with any other code it could not be had."""


class Importer:
    """Performs the jobs of the queue `import`."""

    def __init__(self, ledger: Ledger, intake: Intake, settings: CatalogSettings) -> None:
        self._ledger = ledger
        self._intake = intake
        self._blobs: Blobs = intake.blobs
        self._settings = settings

    async def perform(self, job: Job) -> None:
        """Fetch one bundle. What may pass (a source that is away, a full disk) is tried again for some time."""
        async with self._ledger.pool.acquire() as conn:
            wanted = await store.find_import(conn, job.id)
        if wanted is None:
            return await self._put_down(job)
        try:
            blob = await self._in_time(job, wanted)
        except Exception as error:
            if not _understood(error) and job.attempt < self._settings.give_up_after:
                raise  # a defect of ours, or too little memory: again after the lease
            fault = await self._fault(job, error)
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
            return await self._from_registry(job, wanted)
        return await self._from_address(job, wanted)

    # -- by address ----------------------------------------------------------------------------------------------

    async def _from_address(self, job: Job, wanted: Import) -> Blob:
        rules = Rules(self._settings.source_bounds, self._settings.plain_sources)
        name = _parts_of(job)
        offset = await self._blobs.coming(name)
        async with asked(wanted.source, offset, wanted.validator, rules) as answer:
            if answer.offset < offset:
                await self._blobs.drop_parts(name)  # it is another file by now, or comes only as a whole
            async with self._ledger.pool.acquire() as conn:
                await store.note_answer(conn, job.id, answer)
            await self._must_have_room(answer.total, answer.offset)
            end = await self._take(name, answer, self._teller(job, answer.total))
        if answer.total is not None and end < answer.total:
            raise SourceAway(f"its answer broke off after {end} of {answer.total} bytes")
        return await self._blobs.gather(name, self._intake.limit, wanted.sha256)

    async def _take(self, name: str, answer: Answer, told: "Told") -> int:
        """Keep what comes, part by part; what came before a break is kept too. Returns where it ends."""
        offset, gathered = answer.offset, bytearray()
        try:
            async for piece in answer.chunks:
                gathered += piece
                if offset + len(gathered) >= len(GZIP) > offset and not gathered.startswith(GZIP):
                    raise SourceRefused(
                        "not_gzip", "what lies there is not compressed with gzip; a bundle is a .tar.gz"
                    )
                self._must_fit(offset + len(gathered))
                if len(gathered) >= PART:
                    offset = await self._keep(name, offset, gathered)
                    await told(offset)
        finally:
            offset = await self._keep(name, offset, gathered)
        await told(offset)
        if offset == 0:
            raise SourceRefused("not_gzip", "what lies there is empty; a bundle is a .tar.gz")
        return offset

    async def _keep(self, name: str, offset: int, gathered: bytearray) -> int:
        if not gathered or not (offset or gathered.startswith(GZIP)):
            return offset
        await self._blobs.put_part(name, offset, bytes(gathered))
        end = offset + len(gathered)
        gathered.clear()
        return end

    async def _must_have_room(self, size: int | None, come: int) -> None:
        """Before anything is fetched of what could not be kept; nobody knows where its source does not say its size."""
        if size is not None:
            self._must_fit(size)
            await self._blobs.must_have_room(size, come)

    def _must_fit(self, size: int) -> None:
        if found := fault_of_size(size, self._intake.limit):
            raise SourceRefused(found.code, f"{found.message}; it has {size}, or more")

    # -- by reference ----------------------------------------------------------------------------------------------

    async def _from_registry(self, job: Job, wanted: Import) -> Blob:
        """The one layer of an artifact. A tag is resolved once: later tries mean the same content."""
        image = image_of((wanted.resolved or wanted.source).removeprefix("oci://"))
        access = await self._access(image)
        puller = Puller(self._blobs, access, ())
        if image.digest is None:
            digest = await asyncio.to_thread(resolve, image, access)
            image = image_of(f"{image.name}@{digest}")
            async with self._ledger.pool.acquire() as conn:
                await store.note_resolved(conn, job.id, f"oci://{image.by_digest}")
        digest = (image.digest or "").removeprefix("sha256:")
        manifest = read(await asyncio.to_thread(manifest_of, image, digest, access))
        if not isinstance(manifest, ImageManifest) or len(manifest.layers) != 1:
            raise BadManifest(f"{image.by_digest} is not an artifact of one file")
        (layer,) = manifest.layers
        self._must_fit(layer.bytes)
        if wanted.sha256 not in (None, layer.sha256):
            raise WrongContent(f"{image.by_digest} holds sha256 {layer.sha256}, not {wanted.sha256}")
        await self._must_have_room(layer.bytes, await self._blobs.coming(layer.sha256))
        await puller.blob(image, layer, _nothing, self._teller(job, layer.bytes))
        await self._must_begin_as_bundle(layer.sha256)
        return Blob(layer.sha256, layer.bytes)

    async def _access(self, image: Image) -> Access:
        """One that the settings name is meant to be reached, wherever it stands; any other within bounds.

        Looked up once beforehand, so that what is refused is said at once; then again by each connection itself.
        """
        access, registry = self._settings.access, image.registry
        if registry is None or registry in access.mirrors or registry in access.plain:
            return access
        await check_target(f"https://{registry}/", self._settings.source_bounds)
        return replace(access, bounds=self._settings.source_bounds)

    async def _must_begin_as_bundle(self, sha256: str) -> None:
        if await self._blobs.read(sha256, 0, len(GZIP)) != GZIP:
            raise SourceRefused("not_gzip", "what lies there is not compressed with gzip; a bundle is a .tar.gz")

    # -- what is told ----------------------------------------------------------------------------------------------

    def _teller(self, job: Job, total: int | None) -> "Told":
        last = 0.0

        async def tell(done: int) -> None:
            nonlocal last
            if time.monotonic() - last < TOLD_EVERY:
                return
            last = time.monotonic()
            async with self._ledger.transaction() as tx:
                await store.went_on(tx.conn, job.id)
                event = BundleProgressed(
                    publication=job.id, phase="fetch", done_bytes=done, total_bytes=total, at=tx.now
                )
                tx.emit(event)

        return tell

    async def _fault(self, job: Job, error: Exception) -> Fault | None:
        """Why it fails for good; None = it is tried again."""
        if isinstance(error, SourceRefused | RegistryRefused):
            return _about(error.code, str(error))
        if code := next((code for kind, code in FOR_GOOD.items() if isinstance(error, kind)), None):
            return _about(code, str(error))
        if not is_transient(error):
            return internal_fault(error)
        return await self._try_later(job, error)

    async def _try_later(self, job: Job, error: Exception) -> Fault | None:
        settings = self._settings
        patience = timedelta(seconds=settings.import_patience_seconds)
        wait = wait_before_retry(job.attempt, settings.retry_seconds, settings.retry_most_seconds)
        code = next((code for kind, code in PASSING.items() if isinstance(error, kind)), failing_code(error))
        come = await self._come(job)
        async with self._ledger.transaction() as tx:
            since = await store.note_trouble(tx.conn, job.id, tx.now)
            if gives_up(since, patience, tx.now):
                return _about(code, f"{error} (tried for {patience.total_seconds():g} s)")
            await tx.return_jobs(IMPORTS, [(job, tx.now + timedelta(seconds=wait))])
            waits = Cause(code=code, message=domain.short(str(error)))
            tx.emit(BundleProgressed(publication=job.id, phase="fetch", done_bytes=come, waits=waits, at=tx.now))
        log.warning("a bundle is fetched later", action="import_retry", publication=job.id, error=repr(error)[:200])
        return None

    async def _come(self, job: Job) -> int:
        """How much of a file lies here; none that can be seen where the store is what fails."""
        with suppress(BlobStoreFailed):
            return await self._blobs.coming(_parts_of(job))
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
            origin = Origin(source=wanted.source, resolved=ended.resolved)
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
        await self._blobs.drop_parts(_parts_of(job))
        log.info("a bundle could not be fetched", action="import_failed", publication=job.id, code=fault.code)

    async def _put_down(self, job: Job) -> None:
        async with self._ledger.transaction() as tx:
            await tx.finish_jobs(IMPORTS, [job])


Told = Callable[[int], Awaitable[None]]
"""Hears how many bytes lie here."""


async def _nothing() -> None:
    """Hears of what is told elsewhere."""


def _parts_of(job: Job) -> str:
    """Under what name the parts of its file lie, until it is known by its digest."""
    return hashlib.sha256(job.id.encode()).hexdigest()


def _about(code: str, message: str) -> Fault:
    return Fault(code=code, field="source", message=domain.short(message))


def _understood(error: Exception) -> bool:
    return is_transient(error) or isinstance(error, (SourceRefused, RegistryRefused, *FOR_GOOD))
