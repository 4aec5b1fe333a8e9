"""Which operations this runner holds, and for how long it may act on them.

A runner has one lease, a row that its heartbeat keeps alive; operations name the runner that works on them. So ten
thousand operations under way cost one row a heartbeat. Whoever finds a lease that ran out ends that runner and lets
its operations go. A result counts only while the operation names its runner: a zombie cannot write one.
"""

import asyncio
import uuid
from collections.abc import Iterable, Sequence

import structlog

from services.deployer.store import Claim, Loaded, Store
from shared.core.errors import is_transient
from shared.core.retrying import until_done
from shared.core.transaction import Ledger, Transaction

log = structlog.get_logger()

ENOUGH = 5_000


class Leases:
    """The claims of one replica. `instance` must differ between replicas: who starts under it ends its predecessor."""

    def __init__(self, ledger: Ledger, instance: str, seconds: float, at_once: int = ENOUGH) -> None:
        self._ledger = ledger
        self._instance = instance
        self._seconds = seconds
        self._at_once = at_once
        self._until = 0.0
        self._claims: dict[str, Claim] = {}
        self._known: dict[str, Loaded] = {}
        self.runner = ""
        """The name of this runner while it has a lease: a new one after each loss, so that it is its own fence."""

    # -- what is ours ---------------------------------------------------------------------------------------------

    @property
    def claims(self) -> list[Claim]:
        """All that we hold."""
        return list(self._claims.values())

    @property
    def room(self) -> int:
        """How many operations more may be claimed."""
        return max(self._at_once - len(self._claims), 0) if self.sure else 0

    @property
    def sure(self) -> bool:
        """Whether nobody else can have taken our operations meanwhile: only then may their sites be touched.

        By our own clock since before the heartbeat, so that a process that was stopped for a while finds out by itself.
        """
        return self._until > _clock()

    def holds(self, claim: Claim) -> bool:
        """Whether it is ours as far as we know."""
        return self._claims.get(claim.id) is claim

    def known(self, claims: Iterable[Claim]) -> list[Loaded]:
        """Those of the operations that came in through this very process: nobody need load them."""
        return [loaded for claim in claims if (loaded := self._known.pop(claim.id, None))]

    def adopt(self, tx: Transaction, operations: Sequence[Loaded]) -> None:
        """These were stored as ours in this transaction; once it has committed, they are."""
        runner = self.runner

        def adopted() -> None:
            if runner == self.runner:  # else the lease was lost meanwhile, and they with it
                self._known.update((each.operation.id, each) for each in operations)
                self._claims.update((each.operation.id, Claim(each.operation.id, 1)) for each in operations)
            self._ledger.job_queued.pass_on()  # to be begun; there is nothing to claim

        tx.on_commit(adopted)

    async def claim(self, limit: int) -> int:
        """Take up what waits; returns how many."""
        limit = min(limit, self.room)
        if not limit:
            return 0
        async with self._ledger.pool.acquire() as conn:
            claims = await Store(conn).claim_operations(self.runner, limit)
        self._claims.update((claim.id, claim) for claim in claims)
        return len(claims)

    def forget(self, claims: Iterable[Claim]) -> None:
        """They have ended, or somebody else holds them."""
        for claim in claims:
            if self._claims.get(claim.id) is claim:
                del self._claims[claim.id]
                self._known.pop(claim.id, None)

    # -- the lease ------------------------------------------------------------------------------------------------

    async def keep_for_ever(self) -> None:
        """The heartbeat; while the database is away, the lease just runs out."""
        while True:
            await until_done(self._beat, "the lease is not kept alive", "lease_retry")
            await asyncio.sleep(self._seconds / 3)

    async def _beat(self) -> None:
        until = _clock() + self._seconds
        async with self._ledger.pool.acquire() as conn, conn.transaction():
            store = Store(conn)
            runner = self.runner
            if not runner or not await store.extend_runner(runner, self._seconds):
                runner = await self._join(store)
            freed = await store.release_lapsed()
            held = await store.claimed_by(runner)
        if runner != self.runner:
            self._claims, self._known = {}, {}
        self.runner, self._until = runner, until
        for claim in held:  # such as those of a transaction whose commit we never heard of
            self._claims.setdefault(claim.id, claim)
        if freed or held:
            self._ledger.job_queued.ring()

    async def _join(self, store: Store) -> str:
        runner = f"{self._instance}/{uuid.uuid4()}"
        await store.add_runner(runner, self._instance, self._seconds)
        log.info("runner joined", action="runner_joined", runner=runner, lost=self.runner)
        return runner

    async def give_back(self) -> None:
        """Let others go on at once; if this fails, they go on when the lease ends."""
        runner, self.runner, self._until = self.runner, "", 0.0
        try:
            async with asyncio.timeout(2), self._ledger.pool.acquire() as conn, conn.transaction():
                await Store(conn).remove_runner(runner)
        except Exception as error:
            if not is_transient(error):
                raise


def _clock() -> float:
    return asyncio.get_running_loop().time()
