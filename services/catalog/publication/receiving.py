"""What every import asks of what comes: that it fits, that there is room for it, that it begins as a bundle does."""

import hashlib
import time
from collections.abc import Awaitable, Callable

from services.catalog.publication import store
from services.catalog.publication.fetching import SourceRefused
from shared.blobs import Blobs
from shared.bundle import fault_of_size
from shared.core.transaction import Job, Ledger
from shared.messages.catalog import BundleProgressed

GZIP = b"\x1f\x8b"
TOLD_EVERY = 1.0
"""Seconds between two words on how far it is."""

Told = Callable[[int], Awaitable[None]]
"""Hears how many bytes lie here."""


def parts_of(job: Job) -> str:
    """Under what name the parts of its file lie, until it is known by its digest."""
    return hashlib.sha256(job.id.encode()).hexdigest()


class Receiving:
    """Where bundles are received: at most `limit` bytes each."""

    def __init__(self, ledger: Ledger, blobs: Blobs, limit: int) -> None:
        self.ledger = ledger
        self.blobs = blobs
        self.limit = limit

    def must_fit(self, size: int) -> None:
        """Raises SourceRefused for what is larger than bundles may be."""
        if found := fault_of_size(size, self.limit):
            raise SourceRefused(found.code, f"{found.message}; it has {size}, or more")

    async def must_have_room(self, size: int | None, come: int) -> None:
        """Before anything is fetched of what could not be kept; nobody knows where its source does not say its size."""
        if size is not None:
            self.must_fit(size)
            await self.blobs.must_have_room(size, come)

    async def must_begin_as_bundle(self, sha256: str) -> None:
        """Raises SourceRefused for what lies here and is something else."""
        if await self.blobs.read(sha256, 0, len(GZIP)) != GZIP:
            raise not_gzip("not compressed with gzip")

    def teller(self, job: Job, total: int | None) -> Told:
        """Who is told how far it has come tells others, now and then."""
        last = 0.0

        async def tell(done: int) -> None:
            nonlocal last
            if time.monotonic() - last < TOLD_EVERY:
                return
            last = time.monotonic()
            async with self.ledger.transaction() as tx:
                await store.went_on(tx.conn, job.id)
                event = BundleProgressed(
                    publication=job.id, phase="fetch", done_bytes=done, total_bytes=total, at=tx.now
                )
                tx.emit(event)

        return tell


def not_gzip(what: str) -> SourceRefused:
    """What lies there is no bundle."""
    return SourceRefused("not_gzip", f"what lies there is {what}; a bundle is a .tar.gz")
