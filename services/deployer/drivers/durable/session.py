"""The session by whose locks this process alone carries out the orders of a place."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from services.deployer.drivers import Order
from services.deployer.drivers.durable import store
from services.deployer.drivers.durable.store import Taken
from shared.process.db import Connection, connect_alone

T = TypeVar("T")

SILENT_SECONDS = 30
"""PostgreSQL ends a session that says nothing for so long: a machine that is gone keeps no place for ever."""


class Session:
    """Locks of places. They fall when the connection ends; `lost` is called then, for others may have them at once."""

    def __init__(self, dsn: str, lost: Callable[[], None]) -> None:
        self._dsn = dsn
        self._lost = lost
        self._conn: Any = None
        self._one_at_a_time = asyncio.Lock()

    async def take(self, orders: Sequence[Order]) -> dict[str, Taken]:
        """Those of the orders whose places could be had and that have not ended, by key."""
        return await self._sure(lambda conn: _take(conn, orders))

    async def cancelled(self, keys: Sequence[str]) -> set[str]:
        """Which of the orders in hand are to stop. Asked now and then, it also keeps the session."""
        return await self._sure(lambda conn: store.find_cancelled(conn, keys))

    async def let_go(self, places: Iterable[str]) -> None:
        """Others may have these places."""
        if self._conn is not None and not self._conn.is_closed():  # else its locks are gone with it
            named = list(places)
            await self._sure(lambda conn: store.unlock_places(conn, named))

    async def close(self) -> None:
        """End it, with all its locks."""
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.terminate()

    async def _sure(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """The answer. Who gets none in time may have lost the session, and with it the places: he stops.

        PostgreSQL ends a silent session after SILENT_SECONDS, and others take its places; a connection whose packets
        are lost tells us nothing of that for a quarter of an hour. So the wait behind another question counts as well.
        """
        conn = self._conn
        try:
            async with asyncio.timeout(SILENT_SECONDS / 3), self._one_at_a_time:
                conn = await self._connected()
                return await _answered(conn, ask)
        except BaseException:  # what is locked now is not known
            self._give_up(conn)
            raise

    async def _connected(self) -> Connection:
        if self._conn is None or self._conn.is_closed():
            self._conn = await connect_alone(self._dsn, idle_session_timeout=f"{SILENT_SECONDS}s")
            self._conn.add_termination_listener(self._give_up)
        conn: Connection = self._conn
        return conn

    def _give_up(self, conn: Any) -> None:
        """Tell the loss of a session once: whoever asked it finds out, and so does who waits behind him."""
        if conn is not None and conn is self._conn:
            self._conn = None
            conn.terminate()
            self._lost()


async def _answered(conn: Connection, ask: Callable[[Connection], Awaitable[T]]) -> T:
    """Raises ConnectionResetError where the session has ended since: nobody must begin on what it said."""
    answer = await ask(conn)
    if conn.is_closed():
        raise ConnectionResetError("the session of the places ended while it answered")
    return answer


async def _take(conn: Connection, orders: Sequence[Order]) -> dict[str, Taken]:
    locked = await store.lock_places(conn, orders)
    taken = await store.take_orders(conn, sorted(locked)) if locked else {}
    # Only who holds the place sees for sure whether its order has ended: the one before may have done so just now.
    if ended := [store.place_of(order) for order in orders if order.key in locked and order.key not in taken]:
        await store.unlock_places(conn, ended)
    return taken
