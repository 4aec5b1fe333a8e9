"""Wiring of the monitor: one life of its faust application after the other, and what can be asked of it over HTTP."""

import asyncio
import time
from datetime import UTC, datetime

import structlog
from aiohttp import web
from aiokafka.errors import KafkaError
from prometheus_client import Counter, generate_latest

from services.monitor.health import MonitorHealth
from services.monitor.life import Life
from services.monitor.settings import MonitorSettings
from services.monitor.troubles import Troubles
from services.monitor.watchdog import Incurable
from shared.core.retrying import back_offs, pause
from shared.process import telemetry
from shared.process.health import End
from shared.process.settings import Settings

log = structlog.get_logger()

CALM_SECONDS = 60.0
"""After a life of this length the next one begins at once; shorter ones are begun ever more seldom."""


class Monitor:
    """One replica."""

    def __init__(self, settings: Settings, own: MonitorSettings) -> None:
        self._settings = settings
        self._own = own
        self._metrics = telemetry.Metrics("monitor")
        self._anew = Counter(
            "belay_monitor_started_anew", "How often faust broke in this process", registry=self._metrics.registry
        )
        self.health = MonitorHealth(settings)
        """What is wrong with it."""
        self._troubles = Troubles()
        self.life = self._begin()

    def _begin(self) -> Life:
        return Life(self._settings, self._own, self.health, self._troubles)

    async def run(self) -> None:
        """Run until cancelled. Raises Incurable: what only the end of the process cures."""
        runner = await self._serve()
        watching = asyncio.create_task(self.health.watch_group())
        try:
            await self._live_for_ever()
        except asyncio.CancelledError:
            telemetry.forget(self._settings, "monitor")
            raise
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            await runner.cleanup()

    async def _live_for_ever(self) -> None:
        waits = back_offs()
        while True:
            begun = time.monotonic()
            try:
                # A task of its own: a group that breaks leaves its task marked as cancelled (Python 3.11).
                await asyncio.create_task(self.life.run())
            except KafkaError as error:
                log.warning("waiting for Kafka", action="kafka_unreachable", error=str(error)[:200])
            except Exception as error:
                causes = causes_of(error)
                if incurable := next((cause for cause in causes if isinstance(cause, Incurable)), None):
                    raise incurable from error
                self._anew.inc()
                told = "; ".join(str(cause) or repr(cause) for cause in causes)[:300]
                self.health.broke = [*self.health.broke[-19:], End(datetime.now(UTC), told)]
                log.exception("faust broke and is started anew", action="started_anew", cause=told)
            if time.monotonic() - begun > CALM_SECONDS:
                waits = back_offs()
            await pause(next(waits))
            self.life = self._begin()

    async def _serve(self) -> web.AppRunner:
        async def read() -> bytes:
            self._metrics.lag.clear()
            for (topic, part), records in self.life.sweep.lag().items():
                self._metrics.lag.labels(topic, str(part)).set(records)
            return generate_latest(self._metrics.registry)

        async def probe() -> dict[str, bool]:
            return {"kafka": self.life.sweep.joined}

        app = web.Application()
        telemetry.add_routes(app, read, probe, lambda: self.health.findings)
        return await telemetry.serve(app, self._settings, "monitor")


def causes_of(error: BaseException) -> list[BaseException]:
    """What broke, without the groups around it."""
    if isinstance(error, BaseExceptionGroup):
        return [cause for each in error.exceptions for cause in causes_of(each)]
    return [error]
