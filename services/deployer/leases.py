"""The jobs that this runner holds: claimed, kept by a heartbeat, lost, given back."""

import asyncio
from collections.abc import Iterable

from services.deployer.store import QUEUE
from shared.errors import is_transient
from shared.ledger import Job, Ledger


class Leases:
    """Which operations are ours. `owner` must differ between replicas."""

    def __init__(self, ledger: Ledger, owner: str, seconds: float) -> None:
        self._ledger = ledger
        self._owner = owner
        self._seconds = seconds
        self._jobs: dict[str, Job] = {}
        self._until: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def jobs(self) -> list[Job]:
        """All that we hold."""
        return list(self._jobs.values())

    def holds(self, job: Job) -> bool:
        """Whether it is ours as far as we know."""
        return self._jobs.get(job.id) is job

    def sure(self, job: Job) -> bool:
        """Whether nobody else can have claimed it meanwhile: only then may its site be touched.

        By our own clock since before the claim, so that a process that was stopped for a while finds out by itself.
        """
        return self._jobs.get(job.id) is job and self._until[job.id] > _clock()

    async def claim(self, limit: int) -> list[Job]:
        """Take up what waits, and what another runner's lease ran out on."""
        until = _clock() + self._seconds
        jobs = await self._ledger.claim(QUEUE, self._owner, limit, self._seconds)
        self._jobs.update((job.id, job) for job in jobs)
        self._until.update((job.id, until) for job in jobs)
        return jobs

    async def keep_for_ever(self) -> None:
        """The heartbeat. What is not ours any more is forgotten; while the database is away, leases just run out."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                await self._keep()
            except Exception as error:
                if not is_transient(error):
                    raise

    async def _keep(self) -> None:
        jobs, until = self.jobs, _clock() + self._seconds
        if not jobs:
            return
        ours = await self._ledger.extend(QUEUE, self._owner, jobs, self._seconds)
        held = [job for job in jobs if self._jobs.get(job.id) is job]  # others ended while we asked
        self._until.update((job.id, until) for job in held if job.id in ours)
        self.forget(job for job in held if job.id not in ours)

    def forget(self, jobs: Iterable[Job]) -> None:
        """They have ended, or somebody else holds them."""
        for job in jobs:
            if self._jobs.get(job.id) is job:
                del self._jobs[job.id], self._until[job.id]

    async def give_back(self) -> None:
        """Let others go on at once; if this fails, they go on when the leases end."""
        jobs = self.jobs
        try:
            async with asyncio.timeout(2), self._ledger.turn() as turn:
                await turn.return_jobs(QUEUE, [(job, turn.now) for job in jobs])
        except Exception as error:
            if not is_transient(error):
                raise


def _clock() -> float:
    return asyncio.get_running_loop().time()
