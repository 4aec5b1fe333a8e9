"""How fast content is sent: so many bytes a second to each site, and so many to the whole fleet; 0 = no limit."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from weakref import WeakValueDictionary

from aiolimiter import AsyncLimiter

from services.deployer.settings import DeployerSettings
from shared.blobs import CHUNK

RECENT = 10_000
"""Limiters of so many items that were sent last are kept."""

LEAST = 16 * 1024
"""Chunks for slow sites are a quarter of what they take in a second, but never smaller."""


class Pace:
    """The pace of one process, for all of its drivers. The fleet's limit is divided among the deployers that live."""

    def __init__(self, site_bytes: int = 0, fleet_bytes: int = 0, at_once: int = 64) -> None:
        """Limits in bytes a second, and most chunks that are held in memory, over all sites."""
        self._site_bytes = site_bytes
        self._fleet_bytes = fleet_bytes
        self._sites: WeakValueDictionary[str, AsyncLimiter] = WeakValueDictionary()
        self._recent: deque[AsyncLimiter] = deque(maxlen=RECENT)
        """Holds them between two items of a site: a new limiter would let as much as a second takes pass each time."""
        self._fleet = _limiter(fleet_bytes)
        self._deployers = 1
        self._room = asyncio.Semaphore(at_once)

    @classmethod
    def of_process(cls) -> "Pace":
        """The one of this process, as its settings say."""
        return _of_process()

    @property
    def limits_fleet(self) -> bool:
        """Whether deployers have a limit to share."""
        return bool(self._fleet_bytes)

    def divide(self, deployers: int) -> None:
        """So many deployers share the fleet's limit from now on."""
        if max(deployers, 1) != self._deployers:
            self._deployers = max(deployers, 1)
            self._fleet = _limiter(self._fleet_bytes / self._deployers)

    def at(self, site: str) -> "SitePace":
        """The pace of a site; all that is sent there at the same time shares it."""
        limiter = self._sites.get(site) or _limiter(self._site_bytes)
        if limiter:
            self._sites[site] = limiter
            self._recent.append(limiter)
        return SitePace(self, limiter)

    @asynccontextmanager
    async def _admit(self, count: int) -> AsyncIterator[None]:
        await _acquire(self._fleet, count)
        async with self._room:
            yield


class SitePace:
    """The pace of one site."""

    def __init__(self, whole: Pace, limiter: AsyncLimiter | None) -> None:
        self._whole = whole
        self._limiter = limiter

    @property
    def most(self) -> int:
        """The largest chunk that may be sent at once: a slow link is not filled for many seconds by one of them."""
        return CHUNK if self._limiter is None else max(LEAST, min(CHUNK, int(self._limiter.max_rate / 4)))

    @asynccontextmanager
    async def admit(self, count: int) -> AsyncIterator[None]:
        """Wait until so many bytes may be sent; they are sent inside."""
        await _acquire(self._limiter, count)
        async with self._whole._admit(count):  # noqa: SLF001 - the two are one
            yield


@cache
def _of_process() -> Pace:
    settings = DeployerSettings()
    return Pace(settings.fetch_site_bytes, settings.fetch_fleet_bytes, settings.fetch_at_once)


def _limiter(bytes_a_second: float) -> AsyncLimiter | None:
    return AsyncLimiter(bytes_a_second, 1) if bytes_a_second else None


async def _acquire(limiter: AsyncLimiter | None, count: int) -> None:
    """In pieces of one size: the limiter lets small amounts pass large ones, and takes none above its rate."""
    while limiter and count > 0:
        piece = min(count, LEAST, int(limiter.max_rate) or 1)
        await limiter.acquire(piece)
        count -= piece
