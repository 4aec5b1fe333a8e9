"""A replica as it really runs: a process of its own, with an environment and nothing else."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shared.process import provision
from tests.support.patience import patience
from tests.support.world import World


class Replica:
    """One process; `log` is what it wrote."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log: list[str] = []

    async def listen(self) -> None:
        """Collect its log, so that it never waits for us."""
        assert self.process.stderr
        async for line in self.process.stderr:
            self.log.append(line.decode())

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and await the exit status, for at most 5 seconds."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(5):
            return await self.process.wait()

    async def stop(self) -> float:
        """Stop it as a supervisor does; how many seconds it took. It ends well, and by itself."""
        begun = time.monotonic()
        status = await self.end()
        assert status == 0
        assert not self.said("left before all was ended")
        return time.monotonic() - begun

    def said(self, words: str) -> bool:
        return any(words in line for line in self.log)

    async def until_said(self, words: str, seconds: float = 60) -> None:
        async with patience(seconds):
            while not self.said(words):  # noqa: ASYNC110 - another process rings no bell for us
                await asyncio.sleep(0.05)


@asynccontextmanager
async def replica(
    world: World, service: str, instance: str = "1", *, code: Path | None = None, program: str = "", **settings: object
) -> AsyncIterator[Replica]:
    """A running replica; killed at the end if it still runs. `settings` are its variables without BELAY_.

    `code`: the folder of another version of Belay to run; `program`: the module to run in the service's place.
    """
    environment = {**os.environ, **_environment(world, service, instance)}
    environment |= {f"BELAY_{name.upper()}": str(value) for name, value in settings.items()}
    command = (sys.executable, "-m", program or f"services.{service}")
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=code, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    running = Replica(process)
    listening = asyncio.create_task(running.listen())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await listening
        print("".join(running.log)[-6000:])  # noqa: T201 - pytest shows it when the test fails


def _environment(world: World, service: str, instance: str) -> dict[str, str]:
    known = {"BELAY_KAFKA": world.kafka, "BELAY_HOME": str(world.home), "BELAY_TOPIC_PREFIX": world.prefix}
    if service in provision.SERVICES:
        known["BELAY_POSTGRES"] = world.settings(service).postgres
    return {**known, "BELAY_INSTANCE": instance}
