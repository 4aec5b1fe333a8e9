"""How long to wait before something is tried again, when not to, the one loop that does it; what is not cut short."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, NoReturn, TypeVar

import structlog

from shared.core.errors import is_transient

log = structlog.get_logger()

T = TypeVar("T")

BACK_OFF_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)

Passes = Callable[[BaseException], bool]
"""Whether the same work may succeed later without any change."""


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


async def until_done(
    work: Callable[[], Awaitable[T]],
    what: str,
    action: str,
    passes: Passes = is_transient,
    progress: Callable[[], object] = lambda: None,
) -> T:
    """Do `work`; when it breaks over what `passes`, wait and do it again, for as long as that takes.

    `what` is the line that the log gets each time, under `action`. The waits begin anew where a try got further than
    the one before, as `progress` tells by another value. Raises whatever does not pass.
    """
    waits = back_offs()
    while True:
        before = progress()
        try:
            return await work()
        except Exception as error:
            if not passes(error):
                raise
            log.warning(what, action=action, error=repr(error)[:200])
            waits = waits if progress() == before else back_offs()
        await pause(next(waits))


async def for_ever(
    work: Callable[[], Awaitable[object]],
    what: str,
    action: str,
    passes: Passes = is_transient,
    progress: Callable[[], object] = lambda: None,
) -> NoReturn:
    """`until_done` again and again until cancelled; the waits begin anew each time it is done."""
    while True:
        await until_done(work, what, action, passes, progress)


async def to_its_end(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """Do `work`, and when this task is cancelled meanwhile, let it go on for so long before it is cancelled as well."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
