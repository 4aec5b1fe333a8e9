"""What is missing on a site is sent there, chunk by chunk, from the blob store.

Chunks of one site that are on their way hold together at most CHUNK bytes, be it one chunk of a large item or several
small items: killed at any point, no more than that is sent twice.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from services.deployer.drivers import Item
from services.deployer.drivers.content.pace import SitePace
from services.deployer.drivers.content.sink import WHOLE, Damaged, Sink
from shared.blobs import CHUNK

LANES = 4
"""Items of one site that are sent side by side: small ones would else wait for a round trip each."""

Told = Callable[[int], None]


class Readable(Protocol):
    """Where content is read from: the blob store, or something like it."""

    async def read(self, sha256: str, start: int, count: int) -> bytes:
        """A part of the content of that digest."""
        ...


def _nobody(_: int) -> None:
    """Nobody wants to hear of every chunk."""


async def send(items: Sequence[Item], sink: Sink, blobs: Readable, pace: SitePace, told: Told = _nobody) -> int:
    """Bring to a site what is missing there; returns the bytes that were sent. `told` hears of each chunk that arrived.

    Raises UnknownBlob and BlobStoreFailed, Damaged when an item came out wrong twice, and whatever the sink raises;
    what arrived until then stays, and the next call goes on there.
    """
    wanted = list({item.sha256: item for item in items}.values())
    offsets = await sink.offsets(wanted)
    missing = deque((i, o) for i, o in zip(wanted, offsets, strict=True) if o != WHOLE)
    sending = _Sending(sink, blobs, pace, told)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(LANES, len(missing))):
                group.create_task(sending.work_off(missing))
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from several
    return sending.sent


@dataclass(slots=True)
class _Sending:
    """One call of `send`."""

    sink: Sink
    blobs: Readable
    pace: SitePace
    told: Told
    sent: int = 0
    _free: int = CHUNK
    _freed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def work_off(self, missing: deque[tuple[Item, int]]) -> None:
        while missing:
            item, offset = missing.popleft()
            try:
                await self._one(item, offset)
            except Damaged:  # what lay there before may have been wrong: all of it once more
                await self._one(item, 0)

    async def _one(self, item: Item, offset: int) -> None:
        while offset < item.bytes:
            count = min(CHUNK, self.pace.most, item.bytes - offset)
            async with self._room(count), self.pace.admit(count):
                chunk = await self.blobs.read(item.sha256, offset, count)
                await self.sink.append(item, offset, chunk)
            offset += count
            self.sent += count
            self.told(count)
        await self.sink.finish(item)

    @asynccontextmanager
    async def _room(self, count: int) -> AsyncIterator[None]:
        async with self._freed:
            await self._freed.wait_for(lambda: self._free >= count)
            self._free -= count
        yield  # a chunk that did not arrive keeps its room: none is to follow it while the others are given up
        async with self._freed:
            self._free += count
            self._freed.notify_all()
