"""Images brought before anything is touched: room first, tried again where that may help, once for all of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar
from weakref import WeakValueDictionary

from services.deployer.drivers.container.engine import Engine
from services.deployer.drivers.container.faults import PASSING_PULLS
from services.deployer.drivers.failed import Failed
from shared.components.images import Image
from shared.core.retrying import back_offs, pause

T = TypeVar("T")

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Pulls:
    """Those of one replica, over all engines."""

    tries: int
    """Of each image, when its registry does not answer well. An engine keeps the layers that it has got."""
    free_mib: int
    """An engine with less room than that does not begin: what fills its disk hurts all that runs there."""
    _locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = field(default_factory=WeakValueDictionary)

    @asynccontextmanager
    async def alone(self, url: str, image: Image) -> AsyncIterator[None]:
        """Sites that share an engine wait for the first of them, and find the image there."""
        key = (url, image.by_digest)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield

    async def have(self, work: Callable[[], Awaitable[T]], report: Callable[[str, int], None]) -> T:
        """Do `work`, and again after a while when the registry may answer better then. Raises Failed."""
        for nth, seconds in enumerate(islice(back_offs(), self.tries - 1), 1):
            try:
                return await work()
            except Failed as error:
                if error.broken.code not in PASSING_PULLS:
                    raise
                report(f"try {nth} of {self.tries} failed, and is made again: {error.broken.message}"[:300], 0)
            await pause(seconds * PATIENCE)
        return await work()

    async def refuse_full_disk(self, engine: Engine, image: Image) -> None:
        """Before a pull; how large an image is only its registry knows."""
        free = await engine.free_bytes()
        if free is not None and free < self.free_mib * MIB:
            told = f"{free // MIB} MiB are left on the engine's disk, less than the {self.free_mib} that must be free"
            raise Failed("disk_full", f"{image.by_digest} is not fetched: {told}")


PATIENCE = 10
"""A registry takes longer to come back than a database: 0.5, 1, 2, 5, 10 and 20 seconds."""
