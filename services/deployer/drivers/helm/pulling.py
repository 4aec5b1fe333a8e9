"""What the orders of one replica know of each other's pulls: what nodes have, whose turn it is, what was in vain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from services.deployer.drivers import Broken
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.pulls.sharing import SharedPulls

KNOWN_SECONDS = 300.0
"""An image that a node was seen to have is not asked for again so soon: nodes tell of their images with a delay."""
MOST_KNOWN = 100_000


class WaitedInVain(Failed):
    """What was waited for as long as that makes sense: who waited for it meanwhile need not begin again."""

    @classmethod
    def again(cls, broken: Broken) -> WaitedInVain:
        """The same for another."""
        return cls(broken.code, broken.message, broken.last_lines)


@dataclass(slots=True, weakref_slot=True)
class Turn:
    """One key's, as long as anybody has it or waits for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    broken: Broken | None = None
    at: float = 0.0
    """When it was found `broken`."""


@dataclass(frozen=True, slots=True)
class Pulls:
    """Those of one replica, over all clusters."""

    shared: SharedPulls
    """With other replicas."""
    clock: Callable[[], float] = time.monotonic
    _known: MutableMapping[tuple[str, str, str], float] = field(default_factory=dict)
    """By cluster, node and image: when it was seen there last."""
    _turns: WeakValueDictionary[str, Turn] = field(default_factory=WeakValueDictionary)

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[None]:
        """Sites of one cluster that need the same wait for the first of them, also in other replicas.

        Raises Failed where one of them has waited in vain meanwhile: a registry that is away would otherwise cost each
        of them its whole time, one after the other.
        """
        came, turn = self.clock(), self._turns.setdefault(key, Turn())
        async with turn.lock:
            if turn.broken and turn.at >= came:
                raise WaitedInVain.again(turn.broken)
            async with self.shared.alone(key):
                try:
                    yield
                except WaitedInVain as failed:
                    turn.broken, turn.at = failed.broken, self.clock()
                    raise

    def know(self, cluster: str, node: str, those: Iterable[str]) -> None:
        """A node has these images."""
        now = self.clock()
        for image in those:
            self._known.pop((cluster, node, image), None)
            self._known[cluster, node, image] = now
        while len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def unknown(self, cluster: str, node: str, those: Iterable[str]) -> tuple[str, ...]:
        """Those that it was not seen to have of late."""
        since = self.clock() - KNOWN_SECONDS
        return tuple(each for each in those if self._known.get((cluster, node, each), -KNOWN_SECONDS) < since)
