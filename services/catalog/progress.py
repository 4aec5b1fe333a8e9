"""How far the validation of a bundle is, told to those who wait for it: a few words, at most one a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from services.catalog.preparation.domain import cause_of
from services.catalog.preparation.worker import failing_code
from services.catalog.publication import store
from services.catalog.publication.domain import short
from shared.core.errors import is_transient
from shared.core.transaction import Job, Ledger, Transaction
from shared.messages.base import Cause
from shared.messages.catalog import BundleProgressed

TOLD_EVERY = 1.0
"""Seconds between two words; what is done sooner is told by its end alone."""

BY_BYTES = "files"
"""The step that is counted in bytes of the packed file."""


@dataclass(slots=True)
class Step:
    """Where the thread that validates is: it sets this, and nobody else does."""

    now: tuple[str, int, int] | None = None

    def reach(self, name: str, done: int, total: int) -> None:
        """So many of a step are done."""
        self.now = name, done, total


@asynccontextmanager
async def telling(ledger: Ledger, job: Job) -> AsyncIterator[Step]:
    """Tell where a validation is, while it lasts."""
    step = Step()
    task = asyncio.create_task(_tell_for_ever(ledger, job, step))
    try:
        yield step
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _tell_for_ever(ledger: Ledger, job: Job, step: Step) -> None:
    """Until it is cancelled. A database or Kafka that is away is no trouble of the validation's."""
    told = None
    while True:
        await asyncio.sleep(TOLD_EVERY)
        if (now := step.now) in (None, told):
            continue
        try:
            async with ledger.transaction() as tx:
                await _tell(tx, job, now)
        except Exception as error:
            if not is_transient(error):
                raise
        told = now


async def tell_waiting(tx: Transaction, job: Job, error: Exception) -> None:
    """Tell why a bundle is read again later: a full disk, a store that is away."""
    await _tell(tx, job, None, cause_of(failing_code(error), short(str(error))))


async def _tell(tx: Transaction, job: Job, step: tuple[str, int, int] | None, waits: Cause | None = None) -> None:
    size = int(job.payload["bytes"])
    name, done, total = step or (None, None, None)
    for publication in await store.waiting(tx.conn, job.id):
        event = BundleProgressed(
            publication=publication,
            phase="validate",
            done_bytes=(done or 0) if name in (None, BY_BYTES) else size,
            total_bytes=size,
            step=name,
            step_done=done,
            step_total=total,
            waits=waits,
            at=tx.now,
        )
        tx.emit(event)
