"""Timers and jobs: the two ways in which work starts without a message.

A due timer is taken and handled in one transaction. A job is claimed first, worked on outside of any transaction
under a lease that a heartbeat keeps alive, and its result is written under the fencing token of the claim.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from shared.errors import is_transient
from shared.ledger import SQL, Job, Ledger, Timer, Turn
from shared.retrying import back_offs, pause

log = structlog.get_logger()

TimerHandler = Callable[[Turn, Sequence[Timer]], Awaitable[None]]

TimerPrepare = Callable[[Turn, Sequence[Timer]], Awaitable[None]]
"""Sees all timers of a turn before they are taken: where rows must be locked first, by which others set them anew. Who
waited for such a row with the timer already taken, and whoever holds it and sets the timer, would wait in a circle."""

TIMERS_AT_ONCE = 500
FALLBACK_SECONDS = 1.0
WIND_UP_SECONDS = 2.0
"""How long a worker that is stopped waits for its running jobs."""


async def run_timers(ledger: Ledger, handlers: Mapping[str, TimerHandler], prepare: TimerPrepare | None = None) -> None:
    """Handle due timers until cancelled. Sleeps until the next one is due, or a new one is set."""
    waits = back_offs()
    while True:
        try:
            if not await _take_due(ledger, handlers, prepare):
                await ledger.timer_set.wait(await _until_next(ledger, list(handlers)))
            waits = back_offs()
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("timers are tried again", action="timer_retry", error=repr(error)[:200])
            await pause(next(waits))


async def _take_due(ledger: Ledger, handlers: Mapping[str, TimerHandler], prepare: TimerPrepare | None) -> int:
    async with ledger.turn() as turn:
        kinds = list(handlers)
        keys = None if prepare is None else await _prepared(turn, kinds, prepare)
        rows = await SQL.fetch(turn.conn, "take_due_timers", limit=TIMERS_AT_ONCE, kinds=kinds, keys=keys)
        due: dict[str, list[Timer]] = defaultdict(list)
        for row in rows:
            due[row["kind"]].append(Timer(**row))
        for kind, timers in due.items():
            await handlers[kind](turn, timers)
    return len(rows)


async def _prepared(turn: Turn, kinds: Sequence[str], prepare: TimerPrepare) -> list[str]:
    """The keys of timers that may be taken now."""
    rows = await SQL.fetch(turn.conn, "due_timers", limit=TIMERS_AT_ONCE, kinds=kinds)
    if rows:
        await prepare(turn, [Timer(**row) for row in rows])
    return [row["key"] for row in rows]


async def _until_next(ledger: Ledger, kinds: Sequence[str]) -> float:
    """Seconds until the next timer, at most the fallback: another replica may set one without waking us."""
    async with ledger.pool.acquire() as conn:
        seconds = await SQL.value(conn, "seconds_to_next_timer", kinds=kinds)
    return FALLBACK_SECONDS if seconds is None else min(seconds, FALLBACK_SECONDS)


class Worker:
    """Works one queue: claims up to `at_once` jobs, performs each, keeps their leases alive.

    `perform(job)` does the work and then opens its own turn, in which `turn.finish_jobs` or `turn.return_jobs` says
    whether the job was still ours; only then may the turn have effects. If it raises, the job comes back when its
    lease ends.
    """

    def __init__(
        self,
        ledger: Ledger,
        queue: str,
        perform: Callable[[Job], Awaitable[None]],
        *,
        owner: str,
        at_once: int = 4,
        lease_seconds: float = 10,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._perform = perform
        self._owner = owner
        self._at_once = at_once
        self._lease = lease_seconds
        self._running: dict[asyncio.Task[None], Job] = {}
        self._unbegun: list[Job] = []

    async def run(self) -> None:
        """Work until cancelled; then running jobs may end in a moment, and the others go back to the queue at once."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._heartbeat())
                group.create_task(self._claim_for_ever())
        finally:
            await asyncio.shield(self._wind_up())

    async def _claim_for_ever(self) -> None:
        waits = back_offs()
        while True:
            try:
                free = self._at_once - len(self._running)
                if not (free > 0 and await self._claim(free)):
                    await self._ledger.job_queued.wait(FALLBACK_SECONDS)
                waits = back_offs()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("jobs are claimed again later", action="claim_retry", error=repr(error)[:200])
                await pause(next(waits))

    async def _claim(self, free: int) -> bool:
        """Claim and begin. Our end does not cut a claim: jobs that were claimed unseen would wait for their lease."""
        claiming = asyncio.ensure_future(self._ledger.claim(self._queue, self._owner, free, self._lease))
        try:
            jobs = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            self._unbegun = await claiming
            raise
        for job in jobs:
            task = asyncio.create_task(self._guarded(job))
            self._running[task] = job
            task.add_done_callback(self._done)
        return bool(jobs)

    async def _wind_up(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=WIND_UP_SECONDS)
        left = dict(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await give_back(self._ledger, self._queue, [*left.values(), *self._unbegun])

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._ledger.job_queued.ring()

    async def _guarded(self, job: Job) -> None:
        """One job's failure is its own: logged, and tried again after its lease."""
        try:
            await self._perform(job)
        except Exception as error:
            about = {"queue": self._queue, "job": job.id}
            if is_transient(error):
                log.warning("a job is tried again", action="job_retry", error=repr(error)[:200], **about)
            else:
                log.exception("a job broke and will be tried again", action="job_broke", **about)

    async def _heartbeat(self) -> None:
        """Keep the leases; a job whose lease was lost is cancelled, for another worker has it by now."""
        while True:
            await asyncio.sleep(self._lease / 3)
            jobs = dict(self._running)
            if not jobs:
                continue
            try:
                ours = await self._ledger.extend(self._queue, self._owner, list(jobs.values()), self._lease)
            except Exception as error:
                if not is_transient(error):
                    raise
                continue  # the lease may run out; then the fencing token keeps the result out
            for task, job in jobs.items():
                if job.id not in ours and not task.done():
                    log.warning("lost the lease of a job", action="lease_lost", queue=self._queue, job=job.id)
                    task.cancel()


async def give_back(ledger: Ledger, queue: str, jobs: Sequence[Job]) -> None:
    """Let other workers go on at once. If this fails they go on when the leases end, so it is tried once."""
    if not jobs:
        return
    try:
        async with asyncio.timeout(2), ledger.turn() as turn:
            await turn.return_jobs(queue, [(job, turn.now) for job in jobs])
    except Exception as error:
        if not is_transient(error):
            raise
