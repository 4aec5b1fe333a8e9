"""Requests that wait for the answer to their command."""

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from shared.wakeup import Wakeup

POLL_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.0)
"""When a waiting request looks at the command's row: another replica may have consumed the answer."""


class Waiting:
    """Who waits for which command, in this process."""

    def __init__(self) -> None:
        self._bells: defaultdict[str, set[Wakeup]] = defaultdict(set)
        self.over = False
        """Nobody waits any longer: this replica stops. A command that was sent is answered by others, later."""

    @contextmanager
    def for_command(self, command_id: str) -> Iterator[Wakeup]:
        """A bell that rings when the command is answered here. To be hung up before the command is sent."""
        bell = Wakeup()
        self._bells[command_id].add(bell)
        try:
            yield bell
        finally:
            self._bells[command_id].discard(bell)
            if not self._bells[command_id]:
                del self._bells[command_id]

    def wake(self, command_ids: Iterable[str]) -> None:
        """Ring for the commands that were answered."""
        for command_id in command_ids:
            for bell in self._bells.get(command_id, ()):
                bell.ring()

    async def end(self, seconds: float) -> None:
        """Give those who wait this time to be answered, then let them go."""
        for wait in looks(seconds):
            if not self._bells:
                break
            await asyncio.sleep(wait)
        self.over = True
        self.wake(list(self._bells))


def looks(seconds: float, polls: Sequence[float] = POLL_SECONDS) -> Iterator[float]:
    """How long to wait between looks at a row (the last of `polls` again and again), until `seconds` have passed."""
    until = time.monotonic() + seconds
    for poll in itertools.chain(polls, itertools.repeat(polls[-1])):
        left = until - time.monotonic()
        if left <= 0:
            return
        yield min(poll, left)
