"""The frame of a service process: start what it is made of, run it until SIGTERM, stop in order.

A part that breaks takes the process down with its reason; the supervisor starts it anew, and the ledger knows where
it was. Losing Kafka or PostgreSQL is not a break: every part waits for them.
"""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog
import uvloop
from aiohttp import web

from shared import log as logs
from shared import telemetry
from shared.bus import Consumer, Handlers, back_offs
from shared.clockwork import TimerHandler, run_timers
from shared.codec import Record
from shared.db import Pool, connect_pool, migrate
from shared.errors import is_transient
from shared.ledger import SQL, Ledger
from shared.relay import Relay
from shared.settings import Settings

log = structlog.get_logger()

INBOX_DAYS = 30
"""Answers are remembered longer than any topic keeps commands (topics.py), so a replay finds its answer."""

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
    skips: Callable[[Record], bool] | None = None
    """Tells by its headers alone whether a record is of no use to this service."""
    parts: list[Part] = field(default_factory=list)
    http: web.Application | None = None

    async def run(self) -> None:
        """Run every part until cancelled."""
        consumer = self._consumer() if self.topics else None
        runner = await self._serve(consumer)
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._parts(consumer):
                    group.create_task(part())  # type: ignore[arg-type]
        finally:
            await runner.cleanup()

    def _consumer(self) -> Consumer:
        return Consumer(self.settings, self.ledger, self.name, self.handlers, self.topics, self.skips)

    def _parts(self, consumer: Consumer | None) -> list[Part]:
        relay = Relay(self.settings, self.pool, self.ledger.outbox_filled)
        own = [consumer.run] if consumer else []
        return [relay.run, lambda: run_timers(self.ledger, self.timers), self._prune, *own, *self.parts]

    async def _serve(self, consumer: Consumer | None) -> web.AppRunner:
        async def read() -> bytes:
            return await self.metrics.read(self.pool, await consumer.lag() if consumer else {})

        async def probe() -> dict[str, bool]:
            return {"postgres": await self._answers(), "kafka": consumer is None or consumer.joined}

        app = self.http or web.Application()
        telemetry.add_routes(app, read, probe)
        return await telemetry.serve(app, self.settings, self.name)

    async def _answers(self) -> bool:
        try:
            return bool(await self.pool.fetchval("select true", timeout=2))
        except Exception as error:
            if not is_transient(error):
                raise
            return False

    async def _prune(self) -> None:
        """Forget old answers once an hour; the topics have forgotten those commands long before."""
        while True:
            try:
                async with self.pool.acquire() as conn:
                    await SQL.run(conn, "prune_inbox", before=datetime.now(UTC) - timedelta(days=INBOX_DAYS))
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(3600)


Wire = Callable[[Service], Awaitable[None]]
"""A service's app.py: fills handlers, topics, timers and parts."""


async def build(name: str, wire: Wire, settings: Settings) -> Service:
    """A service on a migrated schema, wired, not yet running. Waits for PostgreSQL."""
    pool = await _connect(settings)
    service = Service(name, settings, pool, Ledger(pool, f"/belay/{name}/{settings.instance}"), telemetry.Metrics(name))
    try:
        await migrate(pool, f"services.{name}")
        await wire(service)
    except BaseException:
        pool.terminate()
        raise
    return service


async def _connect(settings: Settings) -> Pool:
    for wait in back_offs():
        try:
            return await connect_pool(settings.postgres, settings.pool_size)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
            log.warning("waiting for PostgreSQL", action="postgres_unreachable", error=str(error)[:200])
            await asyncio.sleep(wait)
    raise AssertionError("unreachable: back_offs never ends")


def main(name: str, wire: Wire) -> None:
    """Entry point of a service process: until SIGTERM or SIGINT, exit status 0; a broken part: status 1."""
    # A batch is tens of thousands of short-lived objects without cycles; at its default thresholds the collector
    # walks through all of them again and again, a quarter of the CPU time under load.
    gc.set_threshold(100_000, 50, 100)
    settings = Settings()
    logs.configure(settings, name)
    uvloop.run(_main(name, wire, settings))


async def _main(name: str, wire: Wire, settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(_run(name, wire, settings))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        log.info("stops", action="stopping")
        running.cancel()
    await asyncio.gather(running, return_exceptions=stop.is_set())
    log.info("stopped", action="stopped")


async def _run(name: str, wire: Wire, settings: Settings) -> None:
    service = await build(name, wire, settings)
    log.info("runs", action="started")
    try:
        await service.run()
    finally:
        service.pool.terminate()
