"""How long to wait before something is tried again, and when not to."""

import asyncio
import itertools
from collections.abc import Iterator

BACK_OFF_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def back_offs() -> Iterator[float]:
    """Seconds to wait before each further try, for ever: soon at first, then every two seconds."""
    return itertools.chain(BACK_OFF_SECONDS, itertools.repeat(BACK_OFF_SECONDS[-1]))


async def pause(seconds: float) -> None:
    """Wait before the next try.

    Raises CancelledError when this task was cancelled before: a broken connection that is let go on the way out raises
    over the cancellation, and what was told to stop would try again for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    await asyncio.sleep(seconds)
