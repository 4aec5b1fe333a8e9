"""One order in the hands of a tool."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

from services.deployer.drivers import Broken, Done, Order, Running
from services.deployer.drivers.failed import Failed
from services.deployer.secrets.values import hide_in, is_in_revision, looks_of, secrets_of

T = TypeVar("T")

WriteDown = Callable[[str, Mapping[str, Any]], Awaitable[None]]
"""Keep more of the note of an order."""
End = Callable[[str, Done | Broken], Awaitable[None]]
"""Keep the result of an order; the first counts."""


class Run:
    """An order that this process carries out. Its tool reads `order` and `note`, and calls the rest."""

    def __init__(self, order: Order, write_down: WriteDown, end: End) -> None:
        self.order = order
        self.note: dict[str, Any] = {}
        """What was written down of it before, by this process or by another that was killed."""
        self.standing = Running("waits for its turn")
        self.result: Done | Broken | None = None
        self._write_down = write_down
        self._end = end
        self._cancelled = asyncio.Event()

    @property
    def cancelled(self) -> bool:
        """Whether it is to stop at the next safe point, and to end as `Broken` with code `cancelled`."""
        return self._cancelled.is_set()

    async def until_cancelled(self) -> None:
        """Return as soon as it is to stop."""
        await self._cancelled.wait()

    def cancel(self) -> None:
        """Tell the tool."""
        self._cancelled.set()

    def report(self, detail: str, percent: int = 0) -> None:
        """How far it is, for people."""
        self.standing = Running(detail, percent)

    async def write_down(self, **note: Any) -> None:
        """Keep it before this returns: what is about to be made, so that it is found again. JSON, and never a secret.

        Raises asyncpg errors and OSError when it could not be kept.
        """
        await self._write_down(self.order.key, note)
        self.note |= note

    async def end(self, result: Done | Broken) -> None:
        """The order has ended; the first result counts. Values of its secrets are hidden before it is kept."""
        if self.result is None:
            hidden = _hidden(self.order, result)
            await self._end(self.order.key, hidden)
            self.result = hidden


def _hidden(order: Order, result: Done | Broken) -> Done | Broken:
    looks = looks_of(secrets_of(order))
    if isinstance(result, Done) and is_in_revision(looks, result.revision):
        return Broken("secret_in_revision", "what is to be recorded holds the value of a secret, and others read that")
    return cast("Done | Broken", hide_in(looks, result))


async def unless_cancelled(run: Run, work: Awaitable[T]) -> T:
    """What the work gives, unless the order is cancelled first: what it waits for may take as long as it likes."""
    working, cancelled = asyncio.ensure_future(work), asyncio.ensure_future(run.until_cancelled())
    try:
        await asyncio.wait({working, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return await working
        raise Failed("cancelled", "the order was cancelled")
    finally:
        for task in (working, cancelled):
            task.cancel()
        await asyncio.gather(working, cancelled, return_exceptions=True)
