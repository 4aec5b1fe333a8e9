"""Requests that wait for the answer to their command."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from services.gateway.resources.commands import store as commands
from services.gateway.resources.commands.store import StoredCommand
from shared.core.errors import is_transient
from shared.process.db import Pool

LOOK_SECONDS = 0.2
"""How often all waiting commands are looked up together: another replica may have consumed an answer."""


class PendingAnswers:
    """Who waits for which command, in this process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asking: defaultdict[str, set[asyncio.Future[StoredCommand]]] = defaultdict(set)
        self._over = False

    @contextmanager
    def answer_to(self, command_id: str) -> Iterator[asyncio.Future[StoredCommand]]:
        """What the command is stored as once it is answered. To be asked for before the command is sent.

        Cancelled when this replica stops: a command that was sent is answered by others, later.
        """
        answer: asyncio.Future[StoredCommand] = asyncio.get_running_loop().create_future()
        if self._over:
            answer.cancel()
        self._asking[command_id].add(answer)
        try:
            yield answer
        finally:
            self._asking[command_id].discard(answer)
            if not self._asking[command_id]:
                del self._asking[command_id]

    def answered(self, answers: Iterable[StoredCommand]) -> None:
        """Hand the answers to those who wait for them."""
        for stored in answers:
            for waiting in self._asking.get(stored.command_id, ()):
                if not waiting.done():
                    waiting.set_result(stored)

    async def follow(self) -> None:
        """Look for the answers that another replica consumed, until cancelled."""
        while True:
            before = set(self._asking)
            await asyncio.sleep(LOOK_SECONDS)
            if still := before & self._asking.keys():
                await self._look(list(still))

    async def _look(self, command_ids: list[str]) -> None:
        try:
            async with self._pool.acquire() as conn:
                self.answered(await commands.find_all(conn, command_ids, answered=True))
        except Exception as error:
            if not is_transient(error):
                raise

    async def end(self, seconds: float) -> None:
        """Give those who wait this time to be answered, then let them go, and whoever comes later."""
        waiting = [answer for answers in self._asking.values() for answer in answers]
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)
        self._over = True
        for answer in waiting:
            answer.cancel()
