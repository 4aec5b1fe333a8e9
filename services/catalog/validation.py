"""The validation of bundles, on workers: long reading first, then one short transaction that settles what was found.

A worker that dies, or loses its lease, has changed nothing; the next lease reads the bundle again.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from services.catalog import domain, store
from services.catalog.deletion.handlers import FREEING
from services.catalog.dependencies import fault_of_cycle, needing, orders_anything
from services.catalog.progress import tell_waiting, telling
from services.catalog.publication import ending
from services.catalog.publication.domain import Outcome
from services.catalog.publication.handlers import VALIDATIONS
from services.catalog.settings import CatalogSettings
from services.catalog.signing import store as signing
from services.catalog.signing.domain import judge
from shared.blobs import Blobs, UnknownBlob
from shared.bundle import BundleRefused, Claim, Host, Told, digest_of, verify
from shared.core.errors import BelayError, TooLarge, internal_fault, is_transient
from shared.core.transaction import Job, Ledger, Transaction
from shared.messages.base import ErrorCode, Fault, listed
from shared.messages.catalog import ReleaseAvailable, ReleaseRejected, Required, Signature
from shared.messages.manifest import Verified
from shared.wire.codec import new_id

log = structlog.get_logger()

MustBeSigned = Callable[[str], bool]
"""Whether the settings say so of an app."""

SILENT = timedelta(days=3)
"""A host that says nothing for so long is gone: each speaks once a day."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What reading a bundle brought: a manifest, or faults and what the bundle seems to be."""

    manifest: Verified | None = None
    faults: tuple[Fault, ...] = ()
    app: str | None = None
    version: str | None = None
    claim: Claim | None = None
    """What it says it is, where that much can be read: it is judged beside other releases whatever else is wrong."""


class ValidationMetrics:
    """Figures of the validations of one replica."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "belay_catalog_validation_seconds", "Time to read and check one bundle", registry=registry
        )
        self.settled = Counter("belay_catalog_settled", "Bundles by what became of them", ["state"], registry=registry)


class Validator:
    """Performs the jobs of the queue `validation`."""

    def __init__(self, ledger: Ledger, blobs: Blobs, settings: CatalogSettings, metrics: ValidationMetrics) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._settings = settings
        self._metrics = metrics

    async def perform(self, job: Job) -> None:
        """Validate one bundle. What may pass (a full disk, a store that is away) is tried again later."""
        if job.attempt > self._settings.give_up_after:  # each time it ended the process, which raises nothing
            message = f"validating it ended the process {job.attempt - 1} times; the catalog's log says how"
            return await self.settle(job, Finding(faults=(Fault(code=ErrorCode.INTERNAL, field="", message=message),)))
        try:
            with self._metrics.seconds.time():
                finding = await self.examine(job)
        except Exception as error:
            if is_transient(error):
                return await self._try_later(job, error)
            if job.attempt < self._settings.give_up_after:
                raise  # a defect of ours, or too little memory: again after the lease
            finding = Finding(faults=(internal_fault(error),))
        return await self.settle(job, finding)

    async def examine(self, job: Job) -> Finding:
        """Read the bundle in a thread. Raises OSError when the disk or the store fails."""
        try:
            async with self._blobs.as_file(job.id) as path, telling(self._ledger, job) as step:
                return await asyncio.to_thread(_find, path, job, await self._hosts(), step.reach)
        except UnknownBlob as error:
            message = f"{error}; it was removed after it was published, upload it again"
            return Finding(faults=(Fault(code="unknown_bundle", field="", message=message, value=job.id),))

    async def _hosts(self) -> list[Host]:
        """Where a release must be installable; empty while no deployer has said anything: then the machine at hand."""
        async with self._ledger.pool.acquire() as conn:
            return await store.hosts(conn, datetime.now(UTC) - SILENT)

    async def settle(self, job: Job, finding: Finding) -> None:
        """Write what was found, if the job is still ours."""
        async with self._ledger.transaction() as tx:
            ours, must = await tx.finish_jobs(VALIDATIONS, [job]), self._settings.must_be_signed
            settled = await _settle(tx, job, finding, must) if ours else None
            if settled:
                await ending.end(tx, settled)
        state = settled.state if settled else None
        if state:
            self._metrics.settled.labels(state).inc()
            log.info(f"settled a bundle as {state}", action=f"bundle_{state}", bundle=job.id)

    async def _try_later(self, job: Job, error: Exception) -> None:
        settings = self._settings
        wait = domain.wait_before_retry(job.attempt, settings.retry_seconds, settings.retry_most_seconds)
        log.warning("a bundle is read again later", action="validation_retry", bundle=job.id, error=repr(error)[:200])
        async with self._ledger.transaction() as tx:
            await tell_waiting(tx, job, error)
            await tx.return_jobs(VALIDATIONS, [(job, tx.now + timedelta(seconds=wait))])


def _find(path: Path, job: Job, hosts: Sequence[Host], told: Told) -> Finding:
    """Runs in a thread. The digest is checked again, for the store is not ours alone."""
    if (found := digest_of(path)) != job.id:
        message = "the bundle in the blob store does not have the content its name promises"
        return Finding(faults=(Fault(code="wrong_digest", field="", message=message, value=found),))
    try:
        app, version = job.payload.get("app"), job.payload.get("version")
        verified = verify(path, hosts, app=app, version=version, told=told)
    except BundleRefused as refused:
        return Finding(None, refused.faults, refused.app, refused.version, refused.claim)
    return Finding(verified, (), verified.app, verified.version, Claim.of(verified))


async def _settle(tx: Transaction, job: Job, finding: Finding, must: MustBeSigned) -> Outcome | None:
    """What became of the bundle; None when it was settled before (then nothing is said again)."""
    try:
        async with (
            tx.conn.transaction()
        ):  # undone alone: what is refused makes no app, whose scheme would hold for ever
            return await _accept(tx, job, *await _fit(tx, finding, must))
    except _Unfit as unfit:
        more = unfit.faults
    except TooLarge as error:  # what it tells cannot be told in one message
        more = (error.fault,)
    faults = listed((*more, *finding.faults)) if finding.faults else tuple(more)
    return await _reject(tx, job, replace(finding, faults=faults))


class _Unfit(BelayError):
    """It cannot be a release beside what is known."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = faults
        super().__init__("unfit")


async def _fit(tx: Transaction, finding: Finding, must: MustBeSigned) -> tuple[Verified, Signature | None]:
    """What can be a release, and who signed it. Raises _Unfit with every fault that shows only beside what is known."""
    faults: tuple[Fault, ...] = ()
    signer: Signature | Fault | None = None
    if claim := finding.claim:
        faults = await _faults_beside_others(tx, claim)
        keys = await signing.keys_of(tx.conn, claim.app)
        signer = judge(claim.app, claim.signed, keys, tx.now, required=must(claim.app))
    if isinstance(signer, Fault):
        unread = any(fault.code == "signature_wrong" for fault in finding.faults)  # the list of them, which is told
        raise _Unfit(faults if unread else (*faults, signer))
    if faults or finding.manifest is None:
        raise _Unfit(faults)
    return finding.manifest, signer


async def _faults_beside_others(tx: Transaction, claim: Claim) -> tuple[Fault, ...]:
    """Why it cannot be a release of its app, and beside those of other apps."""
    faults = domain.faults_of(claim, await store.hold_app(tx.conn, claim))
    release = needing(claim)
    if not orders_anything(release):
        return faults
    place = claim.places.get("depends_on", "depends_on")
    cycle = fault_of_cycle(release, await store.others_available(tx.conn), place)
    return (*faults, cycle) if cycle else faults


async def _reject(tx: Transaction, job: Job, finding: Finding) -> Outcome | None:
    settled = await store.reject_bundle(tx.conn, job.id, finding.faults, tx.now)
    if settled is None:
        return None
    await tx.put_jobs(FREEING, [(job.id, {})])
    event = ReleaseRejected(
        bundle_sha256=job.id,
        file_name=job.payload["file_name"],
        app=finding.app,
        version=finding.version,
        origin=settled.origin,
        faults=finding.faults,
    )
    _emit(tx, event, settled.sequence, job)
    return Outcome(job.id, domain.State.REJECTED, finding.app, finding.version, finding.faults)


async def _accept(tx: Transaction, job: Job, manifest: Verified, signer: Signature | None) -> Outcome | None:
    settled = await store.accept_bundle(tx.conn, job.id, tx.now)
    if settled is None:
        return None
    release_id = new_id()
    await store.add_release(tx.conn, release_id, job.id, manifest, tx.now)
    event = ReleaseAvailable(
        release_id=release_id,
        app=manifest.app,
        version=manifest.version,
        scheme=manifest.scheme,
        description=manifest.description,
        bundle_sha256=job.id,
        bundle_bytes=job.payload["bytes"],
        upgrades_from=manifest.upgrades_from,
        components=manifest.components,
        max_parallel_components=manifest.max_parallel_components,
        requires=Required(**manifest.requires.model_dump()),
        rules=manifest.rules,
        images=manifest.images,
        notices=manifest.notices,
        signature=signer,
        origin=settled.origin,
        published_at=tx.now,
    )
    _emit(tx, event, settled.sequence, job)
    return Outcome(job.id, domain.State.AVAILABLE, manifest.app, manifest.version)


def _emit(tx: Transaction, event: ReleaseAvailable | ReleaseRejected, sequence: int, job: Job) -> None:
    facts = {"correlation_id": job.payload["correlation_id"], "actor": job.payload["actor"]}
    tx.emit(event, sequence=sequence, **facts)
