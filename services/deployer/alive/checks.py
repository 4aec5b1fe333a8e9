"""Sites are asked again and again whether they answer: each by one replica, those that hang apart from all others.

Sites fall into buckets by their names. A replica that finds one due takes it under a lease, asks its sites in parts,
and keeps and tells what has changed of them. Those that are offline are asked by a task of their own, so that ten
thousand dead sites cost no living one its turn; so are those that are asked out of turn.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from services.deployer.alive import store
from services.deployer.alive.asking import Asking
from services.deployer.alive.judgement import judged, next_due
from services.deployer.alive.keeping import keep_and_tell
from services.deployer.alive.store import Bucket, Checked
from shared.core.errors import is_transient
from shared.core.retrying import for_ever, until_done
from shared.core.transaction import Ledger
from shared.core.wakeup import Wakeup
from shared.messages.deployer import SitesChecked

PART = 100
"""Sites asked together: one that hangs keeps so many others waiting for its time-out, and no more."""

WINDOW = 500
"""Sites read together."""

SOON_LEASE = timedelta(seconds=60)
"""Whoever was to be asked out of turn, and was not because its replica was ended, is asked after so long."""

TICK_SECONDS = 1.0
"""So often it is looked for what is due."""


class Checks:
    """The checks of one replica. `at_once`: most sites that it asks at the same time, of those that are not offline,
    and as many of those that are asked out of turn."""

    def __init__(
        self, ledger: Ledger, asking: Asking, owner: str, period: float, at_once: int, lease_seconds: float
    ) -> None:
        self.wanted = Wakeup()
        """Rung when a site is to be asked out of turn."""
        self._ledger = ledger
        self._asking = asking
        self._owner = owner
        self._period = timedelta(seconds=period)
        self._tick = min(TICK_SECONDS, period / 4)
        self._parts_at_once = max(at_once // PART, 1)
        self._lease = timedelta(seconds=lease_seconds)

    async def run(self) -> None:
        """Ask until cancelled; then others may go on at once with what was begun."""
        try:
            async with asyncio.TaskGroup() as group:
                soon = partial(self._look_soon, asyncio.Semaphore(self._parts_at_once), group)
                for work in (soon, self._look_online, self._look_offline):
                    group.create_task(for_ever(work, "sites are checked again later", "check_retry"))
        finally:
            await asyncio.shield(self._leave())

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(2), self._ledger.pool.acquire() as conn:
                await store.leave_buckets(conn, self._owner)
        except Exception as error:
            if not is_transient(error):
                raise

    # -- out of turn ----------------------------------------------------------------------------------------------

    async def _look_soon(self, places: asyncio.Semaphore, group: asyncio.TaskGroup) -> None:
        async with places, self._ledger.pool.acquire() as conn:
            sites = await store.claim_soon(conn, PART, SOON_LEASE, self._asking.heeding)
        if sites:
            await self._begin(sites, places, group)
        else:
            await self.wanted.wait(self._tick)

    # -- by buckets -----------------------------------------------------------------------------------------------

    async def _look_online(self) -> None:
        await self._look(offline=False, at_once=self._parts_at_once)

    async def _look_offline(self) -> None:
        await self._look(offline=True, at_once=1)

    async def _look(self, *, offline: bool, at_once: int) -> None:
        async with self._ledger.pool.acquire() as conn:
            bucket = await store.claim_bucket(conn, self._owner, offline, self._period, self._lease)
        if bucket is None:
            await asyncio.sleep(self._tick)
            return
        began = datetime.now(UTC)
        async with self._kept(bucket, offline=offline):
            any_there = await self._work(bucket, at_once, offline=offline)
        await self._finish(bucket, offline=offline, began=began, tell=any_there and not offline)

    async def _work(self, bucket: Bucket, at_once: int, *, offline: bool) -> bool:
        """Ask all its sites; whether there are any."""
        places, after, any_there = asyncio.Semaphore(at_once), "", False
        async with asyncio.TaskGroup() as group:
            while sites := await self._sites(bucket, after, offline=offline):
                for start in range(0, len(sites), PART):
                    await self._begin(sites[start : start + PART], places, group, retell=bucket.retells)
                after, any_there = sites[-1].site, True
        return any_there

    async def _sites(self, bucket: Bucket, after: str, *, offline: bool) -> list[Checked]:
        async def read() -> list[Checked]:
            async with self._ledger.pool.acquire() as conn:
                return await store.sites_of_bucket(conn, bucket.bucket, offline, after, WINDOW, self._asking.heeding)

        return await until_done(read, "sites are read again later", "check_retry")

    @asynccontextmanager
    async def _kept(self, bucket: Bucket, *, offline: bool) -> AsyncIterator[None]:
        """Keep the lease of a bucket alive meanwhile."""
        heart = asyncio.create_task(self._beat(bucket, offline=offline))
        try:
            yield
        finally:
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)

    async def _beat(self, bucket: Bucket, *, offline: bool) -> None:
        async def keep() -> None:
            async with self._ledger.pool.acquire() as conn:
                await store.keep_bucket(conn, self._owner, offline, bucket.bucket, self._lease)

        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            await until_done(keep, "the lease of a bucket is not kept alive", "lease_retry")

    async def _finish(self, bucket: Bucket, *, offline: bool, began: datetime, tell: bool) -> None:
        async with self._ledger.transaction() as tx:
            due = next_due(bucket.due_at, bucket.now + (tx.now - began), self._period, random.random())  # noqa: S311
            ours = await store.finish_bucket(tx.conn, self._owner, offline, bucket, due, began)
            if ours and tell:
                tx.emit(SitesChecked(bucket=bucket.bucket, at=began))

    # -- a part ---------------------------------------------------------------------------------------------------

    async def _begin(
        self, sites: Sequence[Checked], places: asyncio.Semaphore, group: asyncio.TaskGroup, *, retell: bool = False
    ) -> None:
        """Check a part beside others, once there is a place."""
        await places.acquire()
        check = until_done(partial(self._check, sites, retell), "sites are checked again later", "check_retry")
        group.create_task(check).add_done_callback(lambda _: places.release())

    async def _check(self, sites: Sequence[Checked], retell: bool) -> None:
        answers = await self._asking.ask(sites)
        at = datetime.now(UTC)
        found = [(site, judged(site.known, answer, at)) for site, answer in zip(sites, answers, strict=True)]
        await keep_and_tell(self._ledger, found, at, retell=retell)
