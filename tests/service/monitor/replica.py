"""A replica of the monitor as it really runs: a process of its own, with an environment and nothing else."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


@asynccontextmanager
async def monitor(world: World, instance: str = "1", **knobs: object) -> AsyncIterator[Replica]:
    """A running replica; killed at the end if it still runs."""
    environment = {
        **os.environ,
        "BELAY_KAFKA": world.kafka,
        "BELAY_HOME": str(world.home),
        "BELAY_TOPIC_PREFIX": world.prefix,
        "BELAY_INSTANCE": instance,
        "BELAY_MONITOR_SWEEP_SECONDS": "0.2",
        **{f"BELAY_MONITOR_{name.upper()}": str(value) for name, value in knobs.items()},
    }
    command = (sys.executable, "-m", "services.monitor")
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    replica = Replica(process)
    listening = asyncio.create_task(replica.listen())
    try:
        yield replica
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await listening
        print("".join(replica.log)[-6000:])  # noqa: T201 - pytest shows it when the test fails
