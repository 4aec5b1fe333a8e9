"""What engines said of themselves: asked of each once for all that is done there.

A busy Podman takes seconds to say its version, since it asks the manager of its host's packages each time.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from services.deployer.drivers.container.engine import Unreachable

KNOWN_SECONDS = 300.0
"""What an engine said of itself stands for so long, unless it was away meanwhile."""

Said = Mapping[str, Any]
LONG_AGO = float("-inf")


class Versions:
    """By the URL of an engine."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, tuple[float, Said]] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def known(self, url: str) -> Said | None:
        """What it said not long ago."""
        at, said = self._said.get(url, (LONG_AGO, None))
        return said if self._clock() - at < KNOWN_SECONDS else None

    def forget(self, url: str) -> None:
        """It was away, and may come back as another one."""
        self._said.pop(url, None)

    async def of(self, url: str, ask: Callable[[], Awaitable[Said]]) -> Said:
        """What is known, or else what `ask` brings; whoever waits meanwhile shares its end. Raises Unreachable."""
        begun = self._clock()
        async with self._one_at_a_time[url]:
            if (said := self.known(url)) is not None:
                return said
            at, why = self._failed.get(url, (LONG_AGO, ""))
            if at >= begun:
                raise Unreachable(why)
            return await self._asked(url, ask)

    async def _asked(self, url: str, ask: Callable[[], Awaitable[Said]]) -> Said:
        try:
            said = await ask()
        except Unreachable as error:
            self._failed[url] = (self._clock(), str(error))
            raise
        self._said[url] = (self._clock(), said)
        return said
