"""One faust application with all that works on it, from its start until something in it breaks.

What breaks here is not the end of the process: app.py begins the next life, and the changelogs bring it up to date.
"""

import asyncio
import time

import psutil
from faust.types import TP

from services.monitor.handlers import Stream
from services.monitor.health import MonitorHealth
from services.monitor.settings import MonitorSettings
from services.monitor.sweep import Sweep
from services.monitor.tables import create_changelogs, open_store
from services.monitor.troubles import Troubles
from services.monitor.watchdog import Stuck, Unwell, Vitals, Watchdog
from services.monitor.watchman import Watchman
from shared.process.settings import Settings

STOP_SECONDS = 30.0
"""An application that does not stop by then keeps its thread and partitions: only the end of the process helps. On a
busy machine it takes its time; a process that is told to end is not waited for so long (shared/process/service.py)."""


class Life:
    """The application, its stream, its sweep, its watchdog, its watchman."""

    def __init__(self, settings: Settings, own: MonitorSettings, health: MonitorHealth, troubles: Troubles) -> None:
        self._health = health
        self._settings = settings
        self._own = own
        self.store = open_store(settings, careful=bool(health.broke))  # it may have been a record that none can read
        self._stream = Stream(self.store, settings, own.limits, health.lost.append)
        self.sweep = Sweep(self.store, self._stream, settings, own)
        self._watchman = Watchman(settings, self.store, troubles, lambda: 0 in self.sweep.partitions)
        self.store.app.agent(self.store.source, name="strategies", concurrency=1)(self._stream.read)

    async def run(self) -> None:
        """Run until cancelled. Raises, in a group, what broke; KafkaError or WrongPartitions before it began."""
        await create_changelogs(self._settings)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_app())
            group.create_task(self._sweep_for_ever())
            group.create_task(self._watch_over())
            group.create_task(self._watchman.run())

    async def _run_app(self) -> None:
        app = self.store.app
        try:
            await app.start()
            await app.wait_until_stopped()
            reason = app.crash_reason  # it may be a cancellation, which a group of tasks would take for none
            raise Unwell(f"the faust application ended: {reason!r}") from reason
        finally:
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await app.stop()
            except TimeoutError as error:
                raise Stuck(f"the faust application did not stop in {STOP_SECONDS} seconds") from error

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._own.sweep_seconds)
            if self.store.app.started:
                await self.sweep.once()

    async def _watch_over(self) -> None:
        own = self._own
        watchdog = Watchdog(own.stall_seconds, own.restore_seconds, own.memory_mib)
        while True:
            await asyncio.sleep(1)
            watchdog.look(self._vitals(), time.monotonic())
            self._health.look(self.sweep.readings())

    def _vitals(self) -> Vitals:
        recovery: dict[TP, int | None] = self.store.app.tables.recovery.active_offsets  # None: nothing was read yet
        waiting = any(self.sweep.lag().values())
        rss = psutil.Process().memory_info().rss
        restored = sum(offset or 0 for offset in recovery.values())
        return Vitals(self.sweep.joined, waiting, self._stream.handled, restored, rss >> 20)
