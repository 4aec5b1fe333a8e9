"""What lies in the blob store: content that nobody needs is freed, and how much there is, is said.

There is one way out of the store: a job of the queue `freeing`, which decides anew under a lock that keeps publishing
out, and removes. Jobs come with what makes content needless, and from looking through the store, where whatever a crash
left between an upload and its row, or a row and its content, is found. Done twice, a job finds nothing to do.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from services.catalog import domain, store
from services.catalog.deletion.handlers import FREEING
from services.catalog.domain import Content, State
from services.catalog.settings import CatalogSettings
from shared.blobs import Blobs, Stored
from shared.core.errors import is_transient
from shared.core.transaction import Job, Ledger
from shared.messages.catalog import StorageMeasured

log = structlog.get_logger()

FREE_STEP = 1 << 28
"""What is left on the disk is said in steps of 256 MiB: it changes all the time, and so would the event."""


@dataclass(slots=True)
class Measured:
    """The bytes in the store by what they are kept for, and the digests that may go."""

    used: Counter[str] = field(default_factory=Counter)
    bundles: int = 0
    needless: list[str] = field(default_factory=list)


class Storage:
    """Frees, and measures, one blob store; any number of replicas may do so at once."""

    def __init__(self, ledger: Ledger, blobs: Blobs, settings: CatalogSettings, limit: int) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._settings = settings
        self._limit = limit

    async def free(self, job: Job) -> None:
        """Remove the content of one digest, if it may be; while this transaction lasts nothing is published."""
        async with self._ledger.transaction() as tx:
            await store.lock_store(tx.conn)
            content = await store.lock_content(tx.conn, job.id)
            by = domain.freed_if_stored_by(content, self._settings.keeping, tx.now)
            gone = by is not None and await self._blobs.delete(job.id, since=by)
            if gone and (with_it := await store.mark_freed(tx.conn, job.id, tx.now)):
                await tx.put_jobs(FREEING, [(digest, {}) for digest in with_it])
            await tx.finish_jobs(FREEING, [job])
        if gone:
            log.info("freed content", action="blob_freed", blob=job.id, state=content.state)

    async def watch(self) -> None:
        """Look through the store now and from time to time, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("the blob store is looked through later", action="storage_retry", error=repr(error)[:200])
            await asyncio.sleep(self._settings.measure_seconds)

    async def look(self) -> None:
        """Queue what may be freed, and say how much there is if that is not what was said last."""
        measured = Measured()
        async for stored, contents in self._pages():
            self._judge(stored, contents, measured)
        free = await self._blobs.free_bytes()
        told = {
            "used_bytes": measured.used.total(),
            "bundles": measured.bundles,
            "prepared_bytes": measured.used["prepared"],
            "withdrawn_bytes": measured.used["withdrawn"],
            "reclaimable_bytes": measured.used["needless"],
            "free_bytes": None if free is None else free // FREE_STEP * FREE_STEP,
            "limit_bytes": self._limit,
        }
        async with self._ledger.transaction() as tx:
            if measured.needless:
                await tx.put_jobs(FREEING, [(digest, {}) for digest in measured.needless])
            if (sequence := await store.tell_storage(tx.conn, told)) is not None:
                tx.emit(StorageMeasured(**told, measured_at=tx.now), sequence=sequence)

    async def _pages(self) -> AsyncIterator[tuple[Sequence[Stored], dict[str, Content]]]:
        async for stored in self._blobs.inventory():
            async with self._ledger.pool.acquire() as conn:
                yield stored, await store.contents_of(conn, [one.sha256 for one in stored])

    def _judge(self, stored: Sequence[Stored], contents: dict[str, Content], measured: Measured) -> None:
        now = datetime.now(UTC)
        for one in stored:
            content = contents.get(one.sha256, Content(one.sha256))
            by = domain.freed_if_stored_by(content, self._settings.keeping, now)
            measured.used["needless" if by is not None else _kept_as(content)] += one.size
            measured.bundles += content.state is not None or not content.prepared
            if by is not None and one.since <= by:
                measured.needless.append(one.sha256)


def _kept_as(content: Content) -> str:
    if content.prepared and content.state is None:
        return "prepared"
    return "withdrawn" if content.state is State.WITHDRAWN else "kept"
