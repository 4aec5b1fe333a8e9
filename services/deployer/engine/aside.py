"""Plans that need answers of sites are made beside everything else: a site that is slow to answer holds up no other."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog

from shared.core.errors import is_transient

log = structlog.get_logger()

AGAIN_SECONDS = 1.0
"""What broke is begun again after so long."""


class Aside:
    """Operations that somebody works on in a task of its own. `done` is called when one may go on."""

    def __init__(self, done: Callable[[], None]) -> None:
        self._done = done
        self._ids: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __contains__(self, operation: object) -> bool:
        return operation in self._ids

    def begin(self, operations: Iterable[str], work: Coroutine[Any, Any, None]) -> None:
        """Do `work` for these operations; until it has ended they are here. What breaks is logged, and they go on."""
        ids = set(operations)
        self._ids |= ids
        task = asyncio.create_task(self._do(ids, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what has not ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _do(self, ids: set[str], work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            told = {"action": "plan_retry", "operations": sorted(ids)[:20]}
            if is_transient(error):
                log.warning("operations are planned later", **told, error=repr(error)[:300])
            else:
                log.exception("operations could not be planned", **told)
            await asyncio.sleep(AGAIN_SECONDS)
        finally:
            self._ids -= ids
        self._done()
