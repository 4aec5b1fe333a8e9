"""What an accepted command created can be read at once: its events may be some milliseconds behind the answer.

Whether the read model has it already is asked for many requests at a time.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from services.gateway.commands.batcher import Batcher
from shared.messages.base import Command
from shared.process.db import Connection, Pool

SECONDS = 2.0
"""The most that an answer is kept back for it."""

POLLS = (0.005, 0.01, 0.02, 0.05)

Readable = Callable[[Connection, Mapping[str, Any]], Awaitable[set[str]]]
"""Of commands of one type, by their ids: the ids of those whose creation can be read."""


class Created(NamedTuple):
    """A command that was accepted, and how to find out whether what it created can be read."""

    readable: Readable
    command_id: str
    command: Command


class ReadYourWrites:
    """Waits until what commands created can be read."""

    def __init__(self, pool: Pool) -> None:
        self._checks = Batcher(partial(check, pool))

    async def until_readable(self, created: Created) -> None:
        """Return when it can be read, or when that takes too long."""
        until = time.monotonic() + SECONDS
        for seconds in itertools.chain(POLLS, itertools.repeat(POLLS[-1])):
            if await self._checks.submit(created) or time.monotonic() > until:
                return
            await asyncio.sleep(seconds)


async def check(pool: Pool, batch: Sequence[Created]) -> list[bool]:
    """An answer for each, with one query for each kind."""
    there: set[str] = set()
    async with pool.acquire() as conn:
        for readable in dict.fromkeys(each.readable for each in batch):
            there |= await readable(
                conn, {each.command_id: each.command for each in batch if each.readable is readable}
            )
    return [each.command_id in there for each in batch]
