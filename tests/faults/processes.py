"""The processes of a round: started, struck, and started again at once when they die, as a supervisor does.

A process is ended by its own id and never by name. Whatever happens to the campaign, nothing stays behind: each process
is told of its parent's death by the kernel (shared/embedded/launch.py).
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
import structlog

from tests.faults.evidence import End

log = structlog.get_logger()

RESTART_SECONDS = 0.1
"""From the death of a process to the start of the next one, its own start-up time not counted."""

GIVE_UP_SECONDS = 15.0


class Process:
    """One program that is to run for as long as it is wanted."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._argv, self._env, self._log = argv, env, log
        self._running: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._struck = False
        self.up = asyncio.Event()
        self.died = asyncio.Event()
        self.left = asyncio.Event()
        """It was stopped, and is not started again."""
        self.starts = 0
        self.ends: list[End] = []
        self.held = asyncio.Lock()
        """By whoever freezes it or sets it a trap: two at once would wake each other's sleeper."""
        self.first_env: dict[str, str] = {}
        """Added to the environment of the next start only."""

    @property
    def pid(self) -> int:
        """Of what runs now; 0 while nothing does."""
        return self._running.pid if self._running and self._running.returncode is None else 0

    def start(self) -> None:
        """Run it from now on."""
        self.left.clear()
        self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await self._spawn()
            status = await self._running.wait()  # type: ignore[union-attr]
            self.up.clear()
            self.died.set()
            log.info("ended", process=self.name, status=status, struck=self._struck)
            self.ends.append(End(process=self.name, at=datetime.now(UTC), status=status))
            self._struck = False
            await asyncio.sleep(RESTART_SECONDS)

    async def _spawn(self) -> None:
        env = {**os.environ, **self._env, **self.first_env}
        self.first_env = {}
        with self._log.open("ab") as out:
            self._running = await asyncio.create_subprocess_exec(
                *self._argv, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        self.starts += 1
        log.info("started", process=self.name, pid=self._running.pid, times=self.starts)
        self.died.clear()
        self.up.set()

    def strike(self, number: signal.Signals) -> bool:
        """Send a signal; False when nothing runs just now."""
        if not self.pid:
            return False
        self._struck = self._struck or number not in (signal.SIGSTOP, signal.SIGCONT)
        os.kill(self.pid, number)
        return True

    def expect_death(self, expected: bool) -> None:
        """It was ordered to kill itself."""
        self._struck = expected

    async def until(self, event: asyncio.Event, seconds: float) -> bool:
        """Await one of its events; False when it left meanwhile. Raises TimeoutError."""
        waits = [asyncio.ensure_future(each.wait()) for each in (event, self.left)]
        try:
            async with asyncio.timeout(seconds):
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return event.is_set()

    @property
    def frozen(self) -> bool:
        """Whether it is stopped now."""
        try:
            return bool(self.pid) and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    async def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = GIVE_UP_SECONDS) -> float | None:
        """End it and keep it so; returns the seconds it took, None if it had to be killed after `seconds`."""
        self.left.set()
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if not self.pid or self._running is None:
            return 0.0
        began = asyncio.get_running_loop().time()
        self.strike(signal.SIGCONT)
        self.strike(number)
        try:
            await asyncio.wait_for(self._running.wait(), seconds)
        except TimeoutError:
            self._running.kill()
            await self._running.wait()
            return None
        return asyncio.get_running_loop().time() - began
