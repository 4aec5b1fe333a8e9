"""The frame of a service process: start what it is made of, run it until SIGTERM, stop in order.

The order: not ready any more; no further request, and those under way are answered; the batch and the jobs that were
begun end; partitions, shards and leases go back, so that other replicas go on at once. Nothing of it is needed for
safety (a kill loses nothing), so what does not end within STOP_SECONDS is left.

A part that breaks takes the process down with its reason; the supervisor starts it anew, and the ledger knows where
it was. Losing Kafka or PostgreSQL is not a break: every part waits for them.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
import structlog
import uvloop
from aiohttp import web
from aiokafka.errors import KafkaError

from shared.core import suspects
from shared.core.bus import AT_ONCE, Consumer, Linger
from shared.core.dispatching import Handlers, Prepare
from shared.core.errors import is_transient
from shared.core.in_flight import WorkMark, open_mark
from shared.core.pruning import Pruning, gone, inbox, prune_for_ever
from shared.core.relay import Relay
from shared.core.retrying import until_done
from shared.core.scheduler import TimerHandler, TimerPrepare, run_timers
from shared.core.transaction import SQL, Ledger
from shared.process import log as logs
from shared.process import telemetry
from shared.process.db import Pool, connect_pool, migrate
from shared.process.runs import IN_ORDER, UNTOLD, Runs, cause_of
from shared.process.self_check import SelfCheck
from shared.process.settings import Settings
from shared.wire.codec import Attributes
from shared.wire.kafka import mend_connections
from shared.wire.topics import EVENT_DAYS

log = structlog.get_logger()

STOP_SECONDS = 4.5
"""A stop that takes longer, because the database hangs or a thread does, is ended where it is."""

LAG_SECONDS = 0.5
"""So long the figures wait for Kafka; who asks for them waits a second (replicas.py)."""

Part = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Service:
    """What a service is made of. `parts` run beside the consumer until the service stops."""

    name: str
    settings: Settings
    pool: Pool
    ledger: Ledger
    metrics: telemetry.Metrics
    handlers: Handlers = field(default_factory=dict)
    topics: Sequence[str] = ()
    timers: Mapping[str, TimerHandler] = field(default_factory=dict)
    skips: Callable[[Attributes], bool] | None = None
    """Tells by its headers alone whether a record is of no use to this service."""
    prepare: Prepare | None = None
    """Sees all messages of a transaction before the first handler does."""
    prepare_timers: TimerPrepare | None = None
    """Sees all due timers before they are taken."""
    linger: Linger = AT_ONCE
    beginnings: list[Part] = field(default_factory=list)
    """Done once when it is wired, before it runs; again, each from its start, while PostgreSQL is away."""
    parts: list[Part] = field(default_factory=list)
    prunings: list[Pruning] = field(default_factory=list)
    """What goes in small batches once nobody needs it, beside answers to commands."""
    http: web.Application | None = None
    runner: type[web.AppRunner] = web.AppRunner
    """Runs it."""
    drains: list[Part] = field(default_factory=list)
    """Called when the service is to stop, while everything still runs: let go of those who wait for us over HTTP."""
    stopping: bool = False
    mark: WorkMark | None = None
    watch: SelfCheck = field(init=False)

    def __post_init__(self) -> None:
        self.watch = SelfCheck(self.settings, self.name, self.pool, self.metrics.registry)

    async def run(self) -> None:
        """Run every part until cancelled; HTTP ends first, for requests need the other parts to be answered."""
        consumer = self._consumer() if self.topics else None
        runner = await self._serve(consumer)
        parts = asyncio.create_task(self._run_parts(consumer))
        cause = IN_ORDER
        try:
            await asyncio.shield(parts)
        except asyncio.CancelledError:
            await self._drain()
            raise
        except Exception as error:
            cause = cause_of(error)
            raise
        finally:
            await runner.cleanup()
            if self.stopping:
                telemetry.forget(self.settings, self.name)
            parts.cancel()
            await asyncio.gather(parts, return_exceptions=True)
            await self._end_run(cause)

    async def begin_run(self, cause: str) -> None:
        """Keep that this replica starts, and what it was working on when it ended last; `cause`: why, if it is known.

        A mark is taken once: tried again it blames nobody, rather than a record twice for one end.
        """
        left = self.mark.take() if self.mark else []
        async with self.pool.acquire() as conn, conn.transaction():
            if left:
                await suspects.accuse(conn, left)
            self.watch.run_id = await SQL.value(conn, "begin_run", instance=self.settings.instance, cause=cause)

    async def _end_run(self, cause: str) -> None:
        """A replica that cannot say it any more is found to have ended without a word."""
        with suppress(Exception):
            async with asyncio.timeout(1), self.pool.acquire() as conn:
                await SQL.run(conn, "end_run", id=self.watch.run_id, cause=cause)

    async def _run_parts(self, consumer: Consumer | None) -> None:
        async with asyncio.TaskGroup() as group:
            for part in self._parts(consumer):
                group.create_task(part())  # type: ignore[arg-type]

    async def _drain(self) -> None:
        self.stopping = True
        if self.mark:
            self.mark.stop()
        for drain in self.drains:
            await drain()

    def _consumer(self) -> Consumer:
        own = (self.handlers, self.topics, self.skips, self.prepare, self.linger)
        consumer = Consumer(self.settings, self.ledger, self.name, *own)
        consumer.mark = self.mark
        return consumer

    def _parts(self, consumer: Consumer | None) -> list[Part]:
        relay = Relay(self.settings, self.pool, self.ledger.outbox_filled)
        self.watch.relay, self.watch.consumer = relay, consumer
        own = [consumer.run] if consumer else []
        return [relay.run, self.watch.run, self._run_timers, self._prune, *own, *self.parts]

    async def _run_timers(self) -> None:
        await run_timers(self.ledger, self.timers, self.prepare_timers, self.watch.timer_broke)

    async def _serve(self, consumer: Consumer | None) -> web.AppRunner:
        async def read() -> bytes:
            return await self.metrics.read(self.pool, await _lag_of(consumer) if consumer else {})

        async def probe() -> dict[str, bool]:
            works = {"postgres": await self._answers(), "kafka": consumer is None or consumer.joined}
            return works | ({"staying": False} if self.stopping else {})

        app = self.http or web.Application()
        telemetry.add_routes(app, read, probe, lambda: self.watch.findings)
        return await telemetry.serve(app, self.settings, self.name, self.runner)

    async def _answers(self) -> bool:
        try:
            return bool(await self.pool.fetchval("select true", timeout=2))
        except Exception as error:
            if not is_transient(error):
                raise
            return False

    async def _prune(self) -> None:
        prunings = [inbox(self.settings.inbox_days), gone(2 * EVENT_DAYS), *self.prunings]
        await prune_for_ever(self.ledger, prunings, self.settings.prune_seconds)


async def _lag_of(consumer: Consumer) -> dict[tuple[str, int], int]:
    """What Kafka does not say at once is left out: while it is away all other figures are wanted most."""
    try:
        async with asyncio.timeout(LAG_SECONDS):
            return await consumer.lag()
    except (KafkaError, TimeoutError):
        return {}


Wire = Callable[[Service], Awaitable[None]]
"""A service's app.py: fills handlers, topics, timers and parts."""


async def build(name: str, wire: Wire, settings: Settings, cause: str = UNTOLD) -> Service:
    """A service on a migrated schema, wired, not yet running. Waits for PostgreSQL.

    `cause`: why its last run ended, if that did not end in order and could say so itself.
    """
    pool = await _connect(settings)
    service = Service(name, settings, pool, Ledger(pool, f"/belay/{name}/{settings.instance}"), telemetry.Metrics(name))
    try:
        await _while_postgres_is_busy("migrate", lambda: migrate(pool, f"services.{name}"))
        service.mark = open_mark(settings.home / "run" / f"{name}-{settings.instance}.work")
        await _while_postgres_is_busy("begin", lambda: service.begin_run(cause))
        await wire(service)
        for beginning in service.beginnings:
            await _while_postgres_is_busy("beginning", beginning)
    except BaseException:
        pool.terminate()
        raise
    return service


async def _connect(settings: Settings) -> Pool:
    connect = partial(connect_pool, settings.postgres, settings.pool_size)
    return await until_done(connect, "waiting for PostgreSQL", "postgres_unreachable", _may_come)


def _may_come(error: BaseException) -> bool:
    """Whether PostgreSQL is only away, full, or cut us off; a wrong password never goes away, nor does what a pooler
    between us will not take."""
    return isinstance(error, MAY_COME) and not isinstance(error, asyncpg.ProtocolViolationError)


# Not all that is transient later: a wrong address or option (InterfaceError) is told at once.
MAY_COME = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # cut in the middle of an answer
)


async def _while_postgres_is_busy(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Try again while PostgreSQL is away or busy: a service does not end because of what passes."""
    await until_done(work, "waiting for PostgreSQL", f"{what}_retry")


def main(name: str, wire: Wire) -> None:
    """Entry point of a service process: until SIGTERM or SIGINT, exit status 0; a broken part: status 1."""
    # A batch is tens of thousands of short-lived objects without cycles; at its default thresholds the collector
    # walks through all of them again and again, a quarter of the CPU time under load.
    gc.set_threshold(100_000, 50, 100)
    settings = Settings()
    logs.configure(settings, name)
    with Runs(settings.home, name, settings.instance) as runs:
        # One that stopped in order may not have reached its ledger to say so.
        cause = UNTOLD if runs.before is None else runs.before
        mend_connections()
        uvloop.run(until_signal(_run(name, wire, settings, cause), runs.end))
    # Taking the interpreter apart takes as long as stopping did, or seconds when a whole machine stops; for nothing.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def until_signal(work: Coroutine[Any, Any, None], told: Callable[[], None] = lambda: None) -> None:
    """Run until SIGTERM or SIGINT cancels it; the process ends soon after that. Raises what the work broke on.

    `told` is called when it was told to end: what happens from then on is an end in order.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        log.info("stops", action="stopping")
        told()
        leave_within(STOP_SECONDS)
        running.cancel()
    await asyncio.gather(running, return_exceptions=stop.is_set())
    log.info("stopped", action="stopped")


def leave_within(seconds: float) -> None:
    """End this process after that time, whatever hangs then: the loop itself, or a thread that nobody can cancel."""

    def leave() -> None:
        log.warning("left before all was ended; it is done again", action="stop_cut_short", seconds=seconds)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    watch = threading.Timer(seconds, leave)
    watch.daemon = True
    watch.start()


async def _run(name: str, wire: Wire, settings: Settings, cause: str) -> None:
    service = await build(name, wire, settings, cause)
    log.info("runs", action="started")
    try:
        await service.run()
    finally:
        service.pool.terminate()
