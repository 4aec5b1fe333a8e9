"""Wiring of the monitor, and what it watches of itself."""

import asyncio
import time

import psutil
import structlog
from aiohttp import web
from aiokafka.errors import KafkaError
from prometheus_client import generate_latest

from services.monitor.handlers import Stream
from services.monitor.settings import MonitorSettings
from services.monitor.sweep import Sweep
from services.monitor.tables import Store, create_changelogs, open_store
from services.monitor.watchdog import Unwell, Vitals, Watchdog
from shared import telemetry
from shared.retrying import back_offs, pause
from shared.settings import Settings

log = structlog.get_logger()

STOP_SECONDS = 4.0
"""A faust application that does not stop by itself in this time is left; what it read is read again."""


class Monitor:
    """One replica."""

    def __init__(self, settings: Settings, knobs: MonitorSettings) -> None:
        self._settings = settings
        self._knobs = knobs
        self._store: Store = open_store(settings)
        self._stream = Stream(self._store, settings, knobs.limits)
        self._sweep = Sweep(self._store, self._stream, settings, knobs)
        self._metrics = telemetry.Metrics("monitor")
        self._store.app.agent(self._store.source, name="strategies", concurrency=1)(self._stream.read)

    async def run(self) -> None:
        """Run until cancelled. Raises what broke, or Unwell."""
        runner = await self._serve()
        try:
            await self._wait_for_kafka()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._run_app())
                group.create_task(self._sweep_for_ever())
                group.create_task(self._watch_over())
        finally:
            await runner.cleanup()

    async def _wait_for_kafka(self) -> None:
        for wait in back_offs():
            try:
                await create_changelogs(self._settings)
                return
            except KafkaError as error:
                log.warning("waiting for Kafka", action="kafka_unreachable", error=str(error)[:200])
                await pause(wait)

    async def _run_app(self) -> None:
        app = self._store.app
        try:
            await app.start()
            await app.wait_until_stopped()
            raise app.crash_reason or Unwell("the faust application stopped by itself")
        finally:
            async with asyncio.timeout(STOP_SECONDS):
                await app.stop()

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._knobs.sweep_seconds)
            if self._store.app.started:
                await self._sweep.once()

    async def _watch_over(self) -> None:
        watchdog = Watchdog(self._knobs.stall_seconds, self._knobs.restore_seconds, self._knobs.memory_mib)
        while True:
            await asyncio.sleep(1)
            watchdog.look(self._vitals(), time.monotonic())

    def _vitals(self) -> Vitals:
        offsets = self._store.app.tables.recovery.active_offsets.values()  # None where nothing was read yet
        waiting = any(self._sweep.lag().values())
        rss = psutil.Process().memory_info().rss
        restored = sum(offset or 0 for offset in offsets)
        return Vitals(self._sweep.joined, waiting, self._stream.handled, restored, rss >> 20)

    async def _serve(self) -> web.AppRunner:
        async def read() -> bytes:
            self._metrics.lag.clear()
            for (topic, part), records in self._sweep.lag().items():
                self._metrics.lag.labels(topic, str(part)).set(records)
            return generate_latest(self._metrics.registry)

        async def probe() -> dict[str, bool]:
            return {"kafka": self._sweep.joined}

        app = web.Application()
        telemetry.add_routes(app, read, probe)
        return await telemetry.serve(app, self._settings, "monitor")
