"""Whether what was deployed some time ago is still well: asked of its site beside all else, for a site may be slow."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from services.deployer.drivers import Broken, Order, Running
from services.deployer.drivers.asking import ask_each

log = structlog.get_logger()

Look = Callable[[Sequence[Order]], Awaitable[Sequence[Broken | None]]]

AGAIN_SECONDS = 1.0
FRESH_SECONDS = 3.0
"""What was seen counts for so long: an order is asked for again and again while another component is being changed."""
MOST = 10_000

_ASKING = Running("asks its site whether it is still well", 99)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look saw, and when (`time.monotonic`)."""

    fallen: Broken | None
    at: float


class Looks:
    """Looks under way, and what was seen a moment ago."""

    def __init__(self, look: Look, ended: Callable[[], None]) -> None:
        self._look = look
        self._ended = ended
        self._seen: dict[str, Seen] = {}
        self._under_way: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def at(self, orders: Sequence[Order]) -> dict[str, Broken | Running]:
        """By key, what has fallen or is looked at just now; what is missing is well. Begins the looks that it needs."""
        since = time.monotonic() - FRESH_SECONDS
        fresh = {order.key: seen for order in orders if (seen := self._seen.get(order.key)) and seen.at >= since}
        self._begin([order for order in orders if order.key not in fresh and order.key not in self._under_way])
        fallen = {key: seen.fallen for key, seen in fresh.items() if seen.fallen}
        return {order.key: _ASKING for order in orders if order.key not in fresh} | fallen

    def saw(self, key: str, fallen: Broken | None) -> None:
        """Somebody has looked just now; who brought an order to its end has."""
        self._seen[key] = Seen(fallen, time.monotonic())
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]

    async def close(self) -> None:
        """Give up those under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, orders: Sequence[Order]) -> None:
        if orders:
            self._under_way |= {order.key for order in orders}
            task = asyncio.create_task(self._see(orders))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _see(self, orders: Sequence[Order]) -> None:
        missed: set[str] = set()
        try:
            found = await ask_each(orders[0].component.driver, self._look, orders, partial(_miss, missed))
            for order, fallen in zip(orders, found, strict=True):
                if order.key not in missed:
                    self.saw(order.key, fallen)
            if missed:  # they are looked at again; the others have been seen
                self._ended()
                await asyncio.sleep(AGAIN_SECONDS)
        finally:
            self._under_way -= {order.key for order in orders}
        self._ended()


def _miss(missed: set[str], order: Order, error: Exception) -> None:
    about = {"order": order.key, "site": order.site, "error": repr(error)[:200]}
    log.error("a look at what was deployed broke", action="driver_failed", **about)
    missed.add(order.key)
