"""What many requests ask for at the same time, asked for once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.core.errors import is_transient

Q = TypeVar("Q")
A = TypeVar("A")

MOST_AT_ONCE = 500


class Batcher(Generic[Q, A]):
    """Queues what comes while the last batch is worked on: one alone waits for nobody, a thousand share a round trip.

    `work` answers each of a batch, in order. When it breaks over a batch, each is tried alone, so that only the one
    that is to blame hears of it; unless it broke for a passing reason, which all of them hear.
    """

    def __init__(self, work: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        self._work = work
        self._queue: list[tuple[Q, asyncio.Future[A]]] = []
        self._under_way: asyncio.Task[None] | None = None

    async def submit(self, question: Q) -> A:
        """The answer to this one. Raises what the work raised over it."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._queue.append((question, answer))
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._run_dry())
        return await answer

    async def _run_dry(self) -> None:
        while self._queue:
            batch, self._queue = self._queue[:MOST_AT_ONCE], self._queue[MOST_AT_ONCE:]
            await self._settle(batch)

    async def _settle(self, batch: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._work([question for question, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is those who asked who hear of it
            await self._settle_each(batch, error)
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if not waiting.done():  # who asked may have gone
                waiting.set_result(answer)

    async def _settle_each(self, batch: Sequence[tuple[Q, asyncio.Future[A]]], error: Exception) -> None:
        if len(batch) > 1 and not is_transient(error):
            for one in batch:
                await self._settle([one])
            return
        for _, waiting in batch:
            if not waiting.done():
                waiting.set_exception(error)
