"""Images brought before anything is touched: room first, tried again where that may help, once for all of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from socket import gethostname
from typing import TypeVar
from weakref import WeakValueDictionary

from services.deployer.drivers.container.connection import Connection
from services.deployer.drivers.container.definition import Definition
from services.deployer.drivers.container.engine import Engine
from services.deployer.drivers.container.room import MIB, Registries, too_little
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.pulls.refusals import PASSING_PULLS
from services.deployer.drivers.pulls.sharing import SharedPulls
from shared.components.images import Image
from shared.core.retrying import back_offs, pause

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pulls:
    """Those of one replica, over all engines."""

    tries: int
    """Of each image, when its registry does not answer well. An engine keeps the layers that it has got."""
    free_mib: int
    """An engine with less room than that does not begin: what fills its disk hurts all that runs there."""
    times: float = 3
    """Room for each compressed byte of a layer: it is kept while it is unpacked, and grows."""
    shared: SharedPulls | None = None
    """With other replicas; None = there are none."""
    _registries: Registries = field(default_factory=Registries)
    _locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = field(default_factory=WeakValueDictionary)

    @asynccontextmanager
    async def alone(self, url: str, image: Image) -> AsyncIterator[None]:
        """Sites that share an engine wait for the first of them, also in other replicas, and find the image there."""
        key = (url, image.by_digest)
        lock = self._locks.setdefault(key, asyncio.Lock())
        shared = self.shared.alone(_engine_wide(*key)) if self.shared else nullcontext()
        async with lock, shared:
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

    async def refuse_full_disk(self, engine: Engine, wanted: Definition, connection: Connection) -> None:
        """Before a pull, by what the registry says of the layers that the engine lacks, as far as it says so."""
        free = await engine.free_bytes()
        if free is None:
            return
        platform = wanted.spec.platform or engine.platform
        lacks = await self._registries.lacking(engine, wanted.image, platform, connection)
        if why := too_little(free, lacks, self.times, self.free_mib * MIB):
            raise Failed("disk_full", f"{wanted.image.by_digest} is not fetched: {why}")


def _engine_wide(url: str, image: str) -> str:
    """A socket of the same path is another engine on each machine."""
    return f"{gethostname() if url.startswith('unix:') else ''} {url} {image}"


PATIENCE = 10
"""A registry takes longer to come back than a database: 0.5, 1, 2, 5, 10 and 20 seconds."""
