"""Whether the read model shows already what an accepted command created: asked for many requests at a time."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from shared.messages.base import Command
from shared.process.db import Connection, Pool

Shown = Callable[[Connection, Mapping[str, Any]], Awaitable[set[str]]]
"""Of commands of one type, by their ids: the ids of those whose creation is there."""


class Look(NamedTuple):
    """Is it there, what this command created?"""

    shown: Shown
    command_id: str
    command: Command


async def look(pool: Pool, looks: Sequence[Look]) -> list[bool]:
    """An answer for each, with one query for each kind."""
    there: set[str] = set()
    async with pool.acquire() as conn:
        for shown in dict.fromkeys(each.shown for each in looks):
            there |= await shown(conn, {each.command_id: each.command for each in looks if each.shown is shown})
    return [each.command_id in there for each in looks]
