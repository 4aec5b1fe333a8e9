"""Timers and jobs: the two ways in which work starts without a message.

A due timer is taken and handled in one transaction; one that breaks its handler is put off and holds up no other. A job
is claimed first, worked on outside of any transaction under a lease that a heartbeat keeps alive, and its result is
written under the fencing token of the claim.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog

from shared.core.errors import HandleAgain, is_transient
from shared.core.retrying import for_ever
from shared.core.transaction import SQL, Job, Ledger, Timer, Transaction

log = structlog.get_logger()

TimerHandler = Callable[[Any, Sequence[Timer]], Awaitable[None]]
"""Handles due timers of one kind, in a transaction of the class that the service's ledger begins."""

TimerPrepare = Callable[[Any, Sequence[Timer]], Awaitable[None]]
"""Sees all timers of a transaction before they are taken: where rows must be locked first, by which others set them
anew. Who waited for such a row with the timer already taken, and whoever holds it and sets the timer, would
wait in a circle."""

Broke = Callable[[Timer, BaseException], None]
"""Hears of a timer that broke its handler, and why."""

TIMERS_AT_ONCE = 500
FALLBACK_SECONDS = 1.0
PUT_OFF = timedelta(minutes=1)
"""After so long a timer that broke its handler is tried again."""

WIND_UP_SECONDS = 2.0
"""How long a worker that is stopped waits for its running jobs."""


class _TimersBroke(Exception):
    """A handler broke over these timers."""

    def __init__(self, timers: Sequence[Timer]) -> None:
        self.timers = timers
        super().__init__(f"the handler of timers {timers[0].kind!r} broke")


def _nobody(_timer: Timer, _error: BaseException) -> None:
    """Hears of what broke where nobody else does."""


async def run_timers(
    ledger: Ledger,
    handlers: Mapping[str, TimerHandler],
    prepare: TimerPrepare | None = None,
    broke: Broke = _nobody,
) -> None:
    """Handle due timers until cancelled. Sleeps until the next one is due, or a new one is set."""
    timers = _Timers(ledger, handlers, prepare, broke)
    await for_ever(timers.look, "timers are tried again", "timer_retry")


class _Timers:
    """What is due is handled together; when that breaks, one by one, until the one to blame is found and put off."""

    def __init__(
        self, ledger: Ledger, handlers: Mapping[str, TimerHandler], prepare: TimerPrepare | None, broke: Broke
    ) -> None:
        self._ledger = ledger
        self._handlers = handlers
        self._prepare = prepare
        self._broke = broke
        self._singly = 0
        self._guilty: Timer | None = None

    async def look(self) -> None:
        """Handle what is due, or wait until something is."""
        if self._guilty is not None:
            await _put_off(self._ledger, self._guilty)
            self._guilty = None
        try:
            took = await _take_due(self._ledger, self._handlers, self._prepare, 1 if self._singly else TIMERS_AT_ONCE)
        except HandleAgain as error:
            log.warning("timers are handled again", action="handle_again", reason=str(error)[:300])
            return
        except _TimersBroke as error:
            self._blame(error)
            return
        self._singly = max(self._singly - 1, 0) if took else 0
        if not took:
            await self._ledger.timer_set.wait(await _until_next(self._ledger, list(self._handlers)))

    def _blame(self, error: _TimersBroke) -> None:
        self._singly = TIMERS_AT_ONCE  # one of these is to blame: found by taking them one by one
        if len(error.timers) == 1 and error.__cause__ is not None:
            (self._guilty,) = error.timers
            self._broke(self._guilty, error.__cause__)
            kind, key = self._guilty.kind, self._guilty.key
            log.error("a timer broke and is put off", action="timer_broke", kind=kind, key=key, exc_info=error)


async def _take_due(
    ledger: Ledger, handlers: Mapping[str, TimerHandler], prepare: TimerPrepare | None, most: int
) -> int:
    """Take and handle what is due; returns how many. What breaks is blamed on those that were being handled."""
    kinds = list(handlers)
    taken: list[Timer] = []
    with _blamed(taken):
        async with ledger.transaction() as tx:
            keys = None
            if prepare is not None:
                taken += [Timer(**row) for row in await SQL.fetch(tx.conn, "due_timers", limit=most, kinds=kinds)]
                await _prepare(tx, prepare, taken)
                keys = [timer.key for timer in taken]
            rows = await SQL.fetch(tx.conn, "take_due_timers", limit=most, kinds=kinds, keys=keys)
            taken[:] = [Timer(**row) for row in rows]
            await _handle(tx, handlers, taken)
    return len(taken)


async def _prepare(tx: Transaction, prepare: TimerPrepare, timers: Sequence[Timer]) -> None:
    if timers:
        await prepare(tx, timers)


async def _handle(tx: Transaction, handlers: Mapping[str, TimerHandler], timers: Sequence[Timer]) -> None:
    due: dict[str, list[Timer]] = defaultdict(list)
    for timer in timers:
        due[timer.kind].append(timer)
    for kind, some in due.items():
        await handlers[kind](tx, some)


@contextmanager
def _blamed(timers: Sequence[Timer]) -> Iterator[None]:
    """What breaks in here, to the end of the transaction, broke over one of these timers, unless it passes."""
    try:
        yield
    except Exception as error:
        if is_transient(error) or isinstance(error, HandleAgain) or not timers:
            raise
        raise _TimersBroke(timers) from error


async def _put_off(ledger: Ledger, timer: Timer) -> None:
    """Later, unless it was set anew meanwhile, or another replica had it."""
    about = {"kind": timer.kind, "key": timer.key, "due_at": timer.due_at}
    async with ledger.pool.acquire() as conn:
        await SQL.run(conn, "put_off_timer", **about, wait=PUT_OFF)


async def _until_next(ledger: Ledger, kinds: Sequence[str]) -> float:
    """Seconds until the next timer, at most the fallback: another replica may set one without waking us."""
    async with ledger.pool.acquire() as conn:
        seconds = await SQL.value(conn, "seconds_to_next_timer", kinds=kinds)
    return FALLBACK_SECONDS if seconds is None else min(seconds, FALLBACK_SECONDS)


class Worker:
    """Works one queue: claims up to `at_once` jobs, performs each, keeps their leases alive.

    `perform(job)` does the work and then opens its own transaction, in which `tx.finish_jobs` or `tx.return_jobs` says
    whether the job was still ours; only then may it have effects. If it raises, the job comes back when its lease ends.
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
        await for_ever(self._claim_or_wait, "jobs are claimed again later", "claim_retry")

    async def _claim_or_wait(self) -> None:
        free = self._at_once - len(self._running)
        if not (free > 0 and await self._claim(free)):
            await self._ledger.job_queued.wait(FALLBACK_SECONDS)

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
        """Keep the leases; a job whose lease was lost is cancelled, for another worker has it by now. One that was
        settled is let go on: it clears up, and what it does not, nobody would."""
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
                if job.id not in ours and not job.settled and not task.done():
                    log.warning("lost the lease of a job", action="lease_lost", queue=self._queue, job=job.id)
                    task.cancel()


async def give_back(ledger: Ledger, queue: str, jobs: Sequence[Job]) -> None:
    """Let other workers go on at once. If this fails they go on when the leases end, so it is tried once."""
    if not jobs:
        return
    try:
        async with asyncio.timeout(2), ledger.transaction() as tx:
            await tx.return_jobs(queue, [(job, tx.now) for job in jobs])
    except Exception as error:
        if not is_transient(error):
            raise
