"""The process driver: components as supervised processes of this machine, in folders that stand for hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from services.deployer.drivers import OBLIGATORY, Broken, Done, Driver, Order, Progress, Reachable, Reached, Running
from services.deployer.drivers.bundles import Unpack, from_store
from services.deployer.drivers.content import Pace, Source
from services.deployer.drivers.locks import locked
from services.deployer.drivers.process import care, release
from services.deployer.drivers.process.content import BESIDE
from services.deployer.drivers.process.health import last_lines
from services.deployer.drivers.process.order_file import OrderFile
from services.deployer.drivers.process.place import BadConnection, Place, place_of
from services.deployer.drivers.process.procedure import Procedure
from services.deployer.drivers.process.reaching import reached
from services.deployer.settings import DeployerSettings
from shared.blobs import Blobs
from shared.core.wakeup import Wakeup
from shared.process.settings import Settings

log = structlog.get_logger()

ASKERS = 4
"""Threads that ask sites whether they answer."""


class ProcessDriver(Driver):
    """Puts processes onto sites. Any number of drivers may share a home, in one deployer or in several.

    The work runs in tasks of this process; what it has reached is in files, so that `start` or `poll` of any
    driver takes up an order whose worker has died. Of each component `keep` versions stay on a site.
    """

    capabilities = OBLIGATORY | {"fetch", "discard"}
    brings = True
    heeds_deployed = True

    def __init__(self, home: Path, unpack: Unpack, keep: int = 3, source: Source | None = None) -> None:
        """`source`: where prepared content comes from; without it none can be fetched."""
        self._home = home.resolve()
        self._unpack = unpack
        self._keep = keep
        self._source = source
        self._bell = Wakeup()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._askers = ThreadPoolExecutor(ASKERS, "reach")  # a disk that hangs must hold up nobody but who asks it

    @classmethod
    def from_settings(cls, settings: Settings, keep: int | None = None) -> ProcessDriver:
        """The driver of a service: bundles from its blob store, hosts under its home."""
        blobs, keep = Blobs.open(settings), keep or DeployerSettings().releases_keep
        return cls(settings.home, from_store(blobs), keep, Source(blobs, Pace.of_process()))

    async def start(self, orders: Sequence[Order]) -> None:
        """Begin each order that was not begun before."""
        await asyncio.to_thread(self._begin, orders)
        await self.poll(orders)

    async def poll(self, orders: Sequence[Order]) -> Sequence[Progress]:
        """How each order stands. What is unfinished and worked on by nobody is taken up again.

        A component that was proven and is down now makes its order `Broken` with code `fallen`.
        """
        found = await asyncio.to_thread(lambda: [self._progress(order) for order in orders])
        for order, progress in zip(orders, found, strict=True):
            if isinstance(progress, Running):
                self._take_up(order)
        return found

    async def cancel(self, orders: Sequence[Order]) -> None:
        """Stop each order at its next safe point; one never begun will never begin."""
        await asyncio.to_thread(self._begin, orders, cancel=True)
        await self.poll(orders)

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool | None]:
        """Whether the revision that each order names can be returned to; None where its folder cannot be read."""
        return await asyncio.to_thread(lambda: [self._has_revision(order) for order in orders])

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """Whether the processes that were proven still run."""
        return await asyncio.to_thread(lambda: [self._looked(order) for order in orders])

    async def reach(self, sites: Sequence[Reachable]) -> Sequence[Reached | Broken]:
        """Whether the folders of the sites are there and can be written, and how much room their disks have."""
        ask = asyncio.get_running_loop().run_in_executor
        return await asyncio.gather(*(ask(self._askers, reached, self._home, site) for site in sites))

    async def wait(self, seconds: float) -> None:
        """Return as soon as an order of this driver moved on, at the latest after `seconds`."""
        await self._bell.wait(seconds)

    async def tend(self) -> None:
        """Until cancelled, give components whose keepers died another one. To be run beside the service."""
        while True:
            await care.tend(self._home)
            await asyncio.sleep(care.TEND_SECONDS)

    def _begin(self, orders: Sequence[Order], *, cancel: bool = False) -> None:
        for order in orders:
            found = self._place(order)
            if not isinstance(found, BadConnection):
                file = OrderFile(found[0], order)
                file.cancel() if cancel else file.begin()

    def _place(self, order: Order) -> tuple[Place, int] | BadConnection:
        try:
            return place_of(self._home, order)
        except BadConnection as error:
            return error

    def _progress(self, order: Order) -> Progress:
        found = self._place(order)
        if isinstance(found, BadConnection):
            return Broken("bad_connection", f"site {order.site}: {found}")
        file = OrderFile(found[0], order)
        progress = file.progress()
        fallen = isinstance(progress, Done) and not file.superseded and _fallen(found[0], order)
        return fallen or progress

    def _looked(self, order: Order) -> Broken | None:
        found = self._place(order)
        try:
            return None if isinstance(found, BadConnection) else _fallen(found[0], order) or _changed(found[0], order)
        except OSError:
            return None

    def _has_revision(self, order: Order) -> bool | None:
        found = self._place(order)
        if isinstance(found, BadConnection):
            return None
        try:
            if _waits(found[0]) and release.current(found[0]) == order.revision:
                return False  # nothing of it can be kept: it has to be deployed again, with its secrets
            return release.read(found[0], order.revision or "") is not None
        except OSError:
            return None

    def _take_up(self, order: Order) -> None:
        if order.key not in self._tasks:
            task = asyncio.create_task(self._work(order), name=order.key)
            self._tasks[order.key] = task
            task.add_done_callback(self._put_down)

    def _put_down(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task.get_name()]
        if not task.cancelled() and (error := task.exception()):
            log.error("lost hold of an order", action="order_lost", order=task.get_name(), exc_info=error)

    async def _work(self, order: Order) -> None:
        place, port = place_of(self._home, order)
        file = OrderFile(place, order)
        async with locked(place.folder.work_lock):
            if isinstance(file.progress(), Running):  # else another deployer has done it while we waited
                file.finish(await _result(Procedure(order, place, port, file, self._unpack, self._source)))
        self._bell.ring()
        if isinstance(file.progress(), Done) and order.action not in BESIDE:
            await care.prune(file, place, self._keep)  # after a failure the way back is still needed


async def _result(procedure: Procedure) -> Done | Broken:
    try:
        result = await procedure.run()
    except Exception as error:
        # A defect of ours must end the order with a reason, or it would be begun again for ever.
        log.exception("an order failed", action="order_failed", order=procedure.order.key)
        return Broken("internal_error", f"the driver failed ({type(error).__name__})")
    about = {"site": procedure.order.site, "component": procedure.order.component.name, "order": procedure.order.key}
    log.info("finished an order", action="order_finished", result=type(result).__name__, **about)
    return result


def _changed(place: Place, order: Order) -> Broken | None:
    """Why what runs is not what was left there, or could not be started again."""
    launch = place.folder.launch()
    if launch is None:
        return None
    if order.revision and launch.revision != order.revision:
        return Broken("fallen", f"revision {launch.revision} runs, and not {order.revision}")
    if lost := next((path for path in (place.current / "spec.json", Path(launch.argv[0])) if not path.exists()), None):
        return Broken("fallen", f"it runs still, but could not be started again: {lost.name} is gone from its files")
    return None


WAITS = (
    "it waits for its secrets: they were in memory alone, and its host was started anew; a reapply, or a recover, "
    "gives them again"
)


def _waits(place: Place) -> bool:
    life = place.folder.life()
    return life is not None and life.waits_for_secrets


def _fallen(place: Place, order: Order) -> Broken | None:
    life, launch = place.folder.life(), place.folder.launch()
    if order.action in ("remove", *BESIDE) or (launch and life and life.mark and life.mark.alive()):
        return None
    if launch is None:
        return Broken("fallen", "what was deployed is gone from its site")
    if life and life.waits_for_secrets:
        return Broken("waits_for_secrets", WAITS)
    return Broken("fallen", "its process ended after it was healthy", last_lines(place.folder, launch))
