"""A driver for a tool: keeps orders, takes up what nobody works on, and lets the tool carry it out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from services.deployer.drivers import (
    Broken,
    Done,
    Driver,
    Foreseeing,
    Order,
    Progress,
    Reachable,
    Reached,
    Reaching,
    Running,
    Tended,
)
from services.deployer.drivers.durable import store
from services.deployer.drivers.durable.looks import Looks
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.durable.session import Session
from services.deployer.drivers.durable.store import place_of
from services.deployer.drivers.durable.tool import Tool
from services.deployer.drivers.failed import Failed
from shared.core.errors import is_transient
from shared.core.retrying import for_ever, until_done
from shared.core.wakeup import Wakeup
from shared.process.db import Connection, Pool, connect_pool

log = structlog.get_logger()

LOOK_SECONDS = 0.5
"""Between two looks for places that others hold, and for orders that others cancelled."""
IDLE_SECONDS = 5.0
POOL_SIZE = 2
UNTOLD = 20_000
"""Ends are remembered for whoever began the orders; of those whom nobody asks for, the database knows."""


class DurableDriver(Driver):
    """Any number of these may share a database, in one deployer or in several."""

    asks_sites = True

    reach: Callable[[Sequence[Reachable]], Awaitable[Sequence[Reached | Broken]]]
    """There only where the tool can ask sites whether they answer (`Reaching`)."""

    def __init__(self, dsn: str, tool: Tool) -> None:
        """`dsn`: the deployer's own database (settings.postgres). Connects when it gets its first order."""
        self.capabilities = tool.capabilities  # type: ignore[misc]  # of its tool, not of its class
        self.brings = tool.brings  # type: ignore[misc]
        if isinstance(tool, Reaching):
            self.reach = tool.reach
        self._dsn = dsn
        self._tool = tool
        self._pool: Pool | None = None
        self._connecting = asyncio.Lock()
        self._session = Session(dsn, self._drop_all)
        self._moved = Wakeup()
        self._wanted = Wakeup()
        self._waiting: dict[str, Run] = {}
        """By key, in the order in which they came: not begun by this process yet."""
        self._running: dict[str, Run] = {}
        self._ended: dict[str, Done | Broken] = {}
        """What ended here, until it was told once: until then nobody need ask whether it is still well."""
        self._looks = Looks(tool.look, self._moved.ring)
        self._batches: dict[asyncio.Task[None], bool] = {}
        """Those under way, and whether they go beside the others."""
        self._dropped: set[asyncio.Task[None]] = set()
        """Those of them that were told to end."""
        self._dispatcher: asyncio.Task[Any] | None = None

    # -- the verbs ------------------------------------------------------------------------------------------------

    async def start(self, orders: Sequence[Order]) -> None:
        """Begin each order that was not begun before."""
        async with self._connection() as conn:
            await store.begin_orders(conn, orders)
        await self.poll(orders)

    async def poll(self, orders: Sequence[Order]) -> Sequence[Progress]:
        """How each order stands. What has not ended and is not in our hands is taken up, if nobody else has it."""
        unknown = [order for order in orders if self._at_hand(order) is None]
        known = await self._ask(unknown) if unknown else {}
        return [self._tell(order) or known[order.key] for order in orders]

    async def cancel(self, orders: Sequence[Order]) -> None:
        """Stop each order at its next safe point; one never begun will never begin."""
        async with self._connection() as conn:
            await store.cancel_orders(conn, orders)
        for order in orders:
            self._waiting.pop(order.key, None)  # it may have ended; the next poll knows
            if run := self._running.get(order.key):
                run.cancel()
        await self.poll(orders)

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool | None]:
        """Whether the revision that each order names still exists on its site."""
        return await self._tool.has_revision(orders)

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """Whether what was deployed is still well, and as it was left."""
        return await self._tool.audit(orders)

    async def foresee(self, orders: Sequence[Order]) -> Sequence[Sequence[str]]:
        """What each order would change, where the tool can say so beforehand."""
        return await self._tool.foresee(orders) if isinstance(self._tool, Foreseeing) else [()] * len(orders)

    async def wait(self, seconds: float) -> None:
        """Return as soon as an order of this driver has ended, at the latest after `seconds`."""
        await self._moved.wait(seconds)

    async def tend(self) -> None:
        """Until cancelled, what the tool does beside its orders; then let go of everything."""
        try:
            if isinstance(self._tool, Tended):
                await self._tool.tend()
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Give up what is in hand: others take it up."""
        if self._dispatcher:
            self._dispatcher.cancel()
        self._drop_all()
        await self._looks.close()
        await asyncio.gather(*self._batches, *filter(None, [self._dispatcher]), return_exceptions=True)
        await self._session.close()
        if self._pool:
            self._pool.terminate()
        self._pool = self._dispatcher = None

    # -- how orders stand -----------------------------------------------------------------------------------------

    def _at_hand(self, order: Order) -> Progress | None:
        if ended := self._ended.get(order.key):
            return ended
        run = self._running.get(order.key) or self._waiting.get(order.key)
        return run.standing if run else None

    def _tell(self, order: Order) -> Progress | None:
        return self._ended.pop(order.key, None) or self._at_hand(order)

    async def _ask(self, orders: Sequence[Order]) -> dict[str, Progress]:
        async with self._connection() as conn:
            kept = await store.find_orders(conn, [order.key for order in orders])
        done = [(o, k.result) for o in orders if (k := kept.get(o.key)) and isinstance(k.result, Done) and k.last]
        changes = [(order, result) for order, result in done if order.action in ("apply", "rollback")]
        seen = self._looks.at([replace(order, revision=result.revision) for order, result in changes])
        return {order.key: seen.get(order.key) or self._stands(order, kept.get(order.key)) for order in orders}

    def _stands(self, order: Order, kept: store.Kept | None) -> Progress:
        if kept is None:
            return Broken("not_started", f"the order {order.key} was never started")
        return kept.result or self._take_up(order, cancelled=kept.cancelled)

    def _take_up(self, order: Order, *, cancelled: bool) -> Running:
        run = self._running.get(order.key) or self._waiting.get(order.key)
        if run is None:
            run = self._waiting[order.key] = Run(order, self._write_down, self._end)
            self._dispatcher = self._dispatcher or asyncio.create_task(
                self._dispatch(), name=f"{self._tool.name} orders"
            )
            self._wanted.ring()
        if cancelled:
            run.cancel()
        return run.standing

    # -- carrying them out ----------------------------------------------------------------------------------------

    async def _dispatch(self) -> None:
        await for_ever(self._pass, "orders cannot be taken up", "orders_retry")

    async def _pass(self) -> None:
        await self._wanted.wait(LOOK_SECONDS if self._waiting or self._running else IDLE_SECONDS)
        if self._running:
            for key in await self._session.cancelled(list(self._running)):
                if run := self._running.get(key):
                    run.cancel()
        if runs := self._with_room(self._next_runs()):
            await self._take(runs)

    def _with_room(self, runs: Sequence[Run]) -> list[Run]:
        """Those of the runs that may begin now: as many batches of each kind as there is room for."""
        beside = sum(self._batches.values())
        room = {True: self._tool.beside_at_once - beside, False: self._tool.at_once - len(self._batches) + beside}
        chosen: list[Run] = []
        for batch in self._tool.batches(runs) if max(room.values()) > 0 else ():
            kind = self._tool.beside(batch[0].order)
            chosen += batch if room[kind] > 0 else ()
            room[kind] -= 1
        return chosen

    def _next_runs(self) -> list[Run]:
        """The first order that waits at each place where none runs."""
        first: dict[str, Run] = {}
        for run in self._waiting.values():
            first.setdefault(place_of(run.order), run)
        for run in self._running.values():
            first.pop(place_of(run.order), None)
        return list(first.values())

    async def _take(self, runs: Sequence[Run]) -> None:
        """Those whose places can be had are carried out; what has ended meanwhile is no longer ours."""
        taken = await self._session.take([run.order for run in runs])
        ours = [run for run in runs if run.order.key in taken]
        for run in ours:
            run.note = taken[run.order.key].note
            if taken[run.order.key].cancelled:
                run.cancel()
        for batch in self._tool.batches(ours):
            self._begin(batch)
        # Only now: where this raises, the pass is done again, and of what was taken nobody else would think.
        await self._forget_ended([run for run in runs if run.order.key not in taken])

    def _begin(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._waiting.pop(run.order.key, None)
            self._running[run.order.key] = run
        task = asyncio.create_task(self._carry_out(runs), name=f"{self._tool.name} batch")
        self._batches[task] = self._tool.beside(runs[0].order)
        task.add_done_callback(partial(self._batch_over, runs))

    async def _forget_ended(self, runs: Sequence[Run]) -> None:
        if not runs:
            return
        async with self._connection() as conn:
            kept = await store.find_orders(conn, [run.order.key for run in runs])
        for key, each in kept.items():
            if each.result:
                self._waiting.pop(key, None)
                self._moved.ring()

    async def _carry_out(self, runs: Sequence[Run]) -> None:
        try:
            failed = await self._outcome(runs)
            for run in runs:
                await run.end(failed)
        finally:
            await self._let_go([run for run in runs if self._is_ours(run)])

    async def _outcome(self, runs: Sequence[Run]) -> Broken:
        """Carries them out; returns how those end that the tool brought to no end."""
        try:
            await self._tool.carry_out(runs)
            return Broken("internal_error", f"the driver {self._tool.name} left the order without a result")
        except Failed as error:
            return error.broken
        except Exception as error:
            # A defect of ours must end the order with a reason, or it would be begun again for ever.
            log.exception("orders failed", action="order_failed", orders=[run.order.key for run in runs][:20])
            return Broken("internal_error", f"the driver {self._tool.name} failed ({type(error).__name__})")

    def _is_ours(self, run: Run) -> bool:
        return self._running.get(run.order.key) is run

    async def _let_go(self, runs: Sequence[Run]) -> None:
        """Those that are not ours any more, or have ended: others may have their places."""
        try:
            await self._session.let_go(place_of(run.order) for run in runs)
        except Exception as error:
            if not is_transient(error):
                raise  # else the session is over, and its locks with it

    def _batch_over(self, runs: Sequence[Run], task: asyncio.Task[None]) -> None:
        """Here and not in the task, which runs none of its lines when it was cancelled before the first."""
        for run in runs:
            if self._is_ours(run):
                del self._running[run.order.key]
        self._batches.pop(task, None)
        self._dropped.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("lost hold of orders", action="order_lost", exc_info=error)
        self._wanted.ring()
        self._moved.ring()

    # -- ends -----------------------------------------------------------------------------------------------------

    async def _write_down(self, key: str, note: Any) -> None:
        async def write() -> None:
            async with self._connection() as conn:
                await store.write_down(conn, key, note)

        await until_done(write, "the note of an order is not kept", "order_note_retry")

    async def _end(self, key: str, result: Done | Broken) -> None:
        async def write() -> None:
            async with self._connection() as conn:
                await store.end_order(conn, key, result)

        await until_done(write, "the result of an order is not kept", "order_result_retry")
        self._ended[key] = result
        self._looks.saw(key, None)
        if len(self._ended) > UNTOLD:
            del self._ended[next(iter(self._ended))]
        if run := self._running.pop(key, None):
            await self._let_go([run])
        self._wanted.ring()
        self._moved.ring()

    def _drop_all(self) -> None:
        """The places are no longer ours: what works there must end at once, and is told so once: a second time would
        cut short how it ends."""
        for task in self._batches.keys() - self._dropped:
            self._dropped.add(task)
            task.cancel()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        async with self._connecting:
            if self._pool is None:
                self._pool = await connect_pool(self._dsn, POOL_SIZE)
        async with self._pool.acquire() as conn:
            yield conn
