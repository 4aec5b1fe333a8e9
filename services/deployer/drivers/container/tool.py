"""The hands of the driver: orders carried out on engines, and what is asked of them beside that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar, TypeVar

import structlog

from services.deployer.drivers import OBLIGATORY, Broken, Done, Order, Reachable, Reached, Verb
from services.deployer.drivers.container import images
from services.deployer.drivers.container.around import named_volumes
from services.deployer.drivers.container.connection import BadConnection, connection_of
from services.deployer.drivers.container.definition import Definition, definition_of, revisions_of
from services.deployer.drivers.container.differences import differences
from services.deployer.drivers.container.engine import Engine, Passing, Unreachable
from services.deployer.drivers.container.errands import discard, fetch, remove
from services.deployer.drivers.container.images import Source
from services.deployer.drivers.container.names import Place, Seen, standing
from services.deployer.drivers.container.opening import Engines
from services.deployer.drivers.container.procedure import Procedure, why_not_beside
from services.deployer.drivers.container.proof import look
from services.deployer.drivers.container.pulling import Pulls
from services.deployer.drivers.container.reaching import reached
from services.deployer.drivers.container.sending import Store
from services.deployer.drivers.container.settings import ContainerSettings
from services.deployer.drivers.container.silence import Silence
from services.deployer.drivers.container.strangers import under_name
from services.deployer.drivers.container.verdict import environment_of, got_over
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.durable.tool import Tool
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.pulls.sharing import SharedPulls
from shared.components.images import Image, image_of

T = TypeVar("T")

log = structlog.get_logger()

ASK_SECONDS = 3.0
"""For an engine that is only asked how things stand."""

AGAIN_SECONDS = 0.5
"""Between two tries to reach an engine."""

FAR_SECONDS = 10.0
"""A try that lasted for so long got further than to the refusal that came before."""


class ContainerTool(Tool):
    """Works on the engines of Docker and Podman."""

    name: ClassVar[str] = "container"
    capabilities: ClassVar[frozenset[Verb]] = OBLIGATORY | {"fetch", "discard"}
    brings: ClassVar[bool] = True

    def __init__(
        self,
        settings: ContainerSettings,
        store: Store,
        clock: Callable[[], float] = time.monotonic,
        shared: SharedPulls | None = None,
    ) -> None:
        self.clock = clock
        self._settings = settings
        self._store = store
        self.at_once = self.beside_at_once = settings.at_once
        self._engines = Engines()
        self._pulls = Pulls(settings.pull_tries, settings.free_mib, settings.room_times, shared)
        self._known: dict[str, Reached] = {}
        """By site, what its engine said of itself last."""

    def beside(self, order: Order) -> bool:
        """Images ahead of time: no container waits behind them."""
        return order.action in ("fetch", "discard")

    async def carry_out(self, runs: Sequence[Run]) -> None:
        """Bring the one order of a batch to its end, also over an engine that is away for a while."""
        (run,) = runs
        silence, refusals = Silence(self.clock), Silence(self.clock)
        work = Work(run, self._store, self._settings.keep, self._engines, self._pulls, silence)
        while True:
            begun = self.clock()
            try:
                done = await work.attempt()
                return await run.end(replace(done, fetched_bytes=work.sent_bytes))
            except Unreachable as error:
                if not isinstance(error, Passing) or self.clock() - begun > FAR_SECONDS:
                    refusals.broken()
                self._give_up(run, error, silence, refusals)
            await asyncio.sleep(AGAIN_SECONDS)

    def _give_up(self, run: Run, error: Unreachable, silence: Silence, refusals: Silence) -> None:
        """Raises Failed where an engine has not answered for long, or has answered the same refusal for as long."""
        passing = isinstance(error, Passing)
        lasted = (refusals if passing else silence).seconds()
        if run.cancelled or lasted >= self._settings.unreachable_seconds:
            if passing:
                raise Failed("engine_refused", f"the engine says each time it is asked: {error}") from error
            raise Failed("unreachable", f"the engine has not answered for {lasted:.0f} s: {error}") from error
        run.report(f"the engine {'refuses' if passing else 'does not answer'}: {error}"[:300])

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """Whether the proven container of each still runs and is well."""
        return await self._each(orders, _fallen, _unknown)

    async def reach(self, sites: Sequence[Reachable]) -> Sequence[Reached | Broken]:
        """Whether the engines answer."""
        return await asyncio.gather(*(reached(site, self._known, self._engines) for site in sites))

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool | None]:
        """Whether the component is there, and its engine has the revision's image; None where it does not answer."""
        return await self._each(orders, _has_revision, _unknown)

    async def foresee(self, orders: Sequence[Order]) -> Sequence[Sequence[str]]:
        """What would change of each container, field by field."""
        return await self._each(orders, _foreseen, _unforeseen)

    def _opened(self, order: Order) -> AbstractAsyncContextManager[Engine]:
        return self._engines.opened(connection_of(order.connection))

    async def _each(
        self, orders: Sequence[Order], ask: Callable[[Engine, Order], Awaitable[T]], otherwise: Callable[[Exception], T]
    ) -> list[T]:
        """The answer of each order's engine; what `otherwise` makes of it where it gives none."""
        limit = asyncio.Semaphore(self.at_once)

        async def one(order: Order) -> T:
            try:
                async with limit, asyncio.timeout(ASK_SECONDS), self._opened(order) as engine:
                    return await ask(engine, order)
            except (Unreachable, Failed, BadConnection, TimeoutError) as error:
                return otherwise(error)
            except Exception as error:  # a defect, at one order: the others are told all the same
                about = {"order": order.key, "site": order.site}
                log.exception("an engine could not be asked how things stand", action="driver_failed", **about)
                return otherwise(error)

        return await asyncio.gather(*map(one, orders))


def _unknown(_: Exception) -> None:
    """It cannot be told now."""


def _unforeseen(error: Exception) -> Sequence[str]:
    if isinstance(error, BadConnection):
        return (f"the connection cannot be used: {error}",)
    return ("the engine does not answer now",)


SENT = "sent"
"""In what is written down of an order: the bytes that were sent for it. Of who is killed, the last step is missing."""


class Work:
    """One order in this process, over all its tries."""

    def __init__(self, run: Run, store: Store, keep: int, engines: Engines, pulls: Pulls, silence: Silence) -> None:
        self._run = run
        self._engines = engines
        self._store = store
        self._keep = keep
        self._pulls = pulls
        self._silence = silence
        self.sent_bytes = int(run.note.get(SENT, 0))

    async def attempt(self) -> Done:
        """Raises Failed, and Unreachable when the engine does not answer (any more)."""
        order = self._run.order
        connection = _or_failed(lambda: connection_of(order.connection))
        if order.action == "discard":
            async with self._engines.opened(connection, self._silence.broken) as engine:
                return await discard(self._run, engine)
        wanted = _or_failed(lambda: definition_of(order, connection))
        source = Source(connection, self._store, order.site, order.items, self._run.report, self._sent, self._arrived)
        async with self._engines.opened(connection, self._silence.broken) as engine:
            if order.action == "remove":
                return await remove(self._run, engine, wanted)
            if order.action == "fetch":
                return await fetch(self._run, engine, source, wanted, self._pulls)
            return await Procedure(self._run, engine, source, wanted, self._keep).reach()

    async def _arrived(self) -> None:
        await self._run.write_down(**{SENT: self.sent_bytes})

    def _sent(self, count: int) -> None:
        self.sent_bytes += count
        self._silence.broken()


def _or_failed(make: Callable[[], T]) -> T:
    try:
        return make()
    except BadConnection as error:
        raise Failed("bad_connection", str(error)) from None


async def _fallen(engine: Engine, order: Order) -> Broken | None:
    place = Place.of(order)
    current = standing(place, order.key, await engine.at(place)).current
    if current is None:
        return await _gone(engine, place, image_of(order.component.spec.image))
    seen = await look(engine, current.id)
    if seen.over and (borne := got_over(await engine.show(current.id), datetime.now(UTC))):
        seen = await look(engine, current.id, borne)
    if seen.over:
        return Broken("fallen", seen.why, await engine.last_lines(current.id))
    return await _replaced(engine, current, image_of(order.component.spec.image))


async def _gone(engine: Engine, place: Place, wanted: Image) -> Broken:
    stranger = await under_name(engine, place, wanted)
    if stranger is None:
        return Broken("fallen", "its container is gone")
    if stranger.remade:
        return Broken(
            "fallen", f"its container is gone; somebody made another of its image under its name {place.name}"
        )
    return Broken("name_taken", f"its container is gone; {stranger.told}")


async def _replaced(engine: Engine, current: Seen, wanted: Image) -> Broken | None:
    """Programs that look for newer images make a container anew under its name, with all its labels."""
    found = await images.found_on(engine, wanted)
    if found is None or images.plain(found.shown["Id"]) == images.plain(current.image_id):
        return None
    return Broken("fallen", f"it runs another image than {wanted.by_digest}")


async def _has_revision(engine: Engine, order: Order) -> bool | None:
    current = standing(Place.of(order), order.key, await engine.at(Place.of(order))).current
    wanted = definition_of(order, connection_of(order.connection))
    if current is None and await under_name(engine, wanted.place, wanted.image):
        return None  # what is to be said of that is said by a look, and by the order that comes upon it
    if current is None or order.revision != wanted.revision or wanted.image.by_digest not in revisions_of(current):
        return False
    return await images.found_on(engine, wanted.image) is not None


async def _foreseen(engine: Engine, order: Order) -> Sequence[str]:
    wanted = definition_of(order, connection_of(order.connection))
    there = standing(wanted.place, order.key, await engine.at(wanted.place))
    if order.action == "remove":
        goes = [f"the container {there.current.name} is removed"] if there.current else []
        return goes if wanted.spec.remove_volumes else [*goes, *_volumes_that_stay(wanted)]
    if there.current is None:
        return [f"a new container of {wanted.image.by_digest}"]
    shown = await engine.show(there.current.id) or {}
    labels, environment = there.current.labels, environment_of(shown)
    changes = differences(labels, environment, wanted.fields, wanted.site_environment)
    stops = why_not_beside(there.current, wanted) if changes else []
    return changes + [f"the old container is stopped before the new one starts: {reason}" for reason in stops]


def _volumes_that_stay(wanted: Definition) -> list[str]:
    return [f"its volume {name} stays" for name in named_volumes(wanted)]
