"""How long a test waits for what must happen.

Each wait has a limit of its own on lack of progress, said in seconds of a quiet machine. Where more processes want to
run than there are cores, all takes so many times longer, and so does the limit. It says when a test gives up, nothing
of what must be true: a time that Belay promises is compared with a clock or `asyncio.timeout`, never with this.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

LOAD = Path("/proc/loadavg")
CORES = len(os.sched_getaffinity(0))


def stretched(seconds: float) -> float:
    """So many seconds of a quiet machine, on this one as it is now."""
    return seconds * max(1.0, wanting() / CORES)


def wanting() -> float:
    """How many processes want to run: now, or over the last minute, whichever is more."""
    last_minute, _, _, now, _ = LOAD.read_text().split()
    return max(float(last_minute), float(now.partition("/")[0]))


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[None]:
    """Raises TimeoutError once the block takes longer than so many seconds of a quiet machine."""
    async with asyncio.timeout(stretched(seconds)):
        yield


async def come(
    condition: asyncio.Condition, holds: Callable[[], bool], progress: Callable[[], object], seconds: float
) -> None:
    """Until it holds, looked at whenever the condition is notified. Whatever changes `progress` begins the wait anew.

    Raises TimeoutError.
    """
    async with condition:
        while not holds():
            async with patience(seconds):
                await _news(condition, holds, progress)


async def _news(condition: asyncio.Condition, holds: Callable[[], bool], progress: Callable[[], object]) -> None:
    before = progress()
    await condition.wait_for(lambda: holds() or progress() != before)


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Look again and again until it holds; fail after so many seconds of a quiet machine."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < stretched(seconds), f"not so within {seconds:g} s of a quiet machine"
        time.sleep(0.05)


async def until_so(ask: Callable[[], Awaitable[object]], seconds: float = 20) -> None:
    """The same without blocking, for what a database or a file says and no event tells."""
    async with patience(seconds):
        while not await ask():  # noqa: ASYNC110 - nothing wakes us
            await asyncio.sleep(0.02)
