"""A deployer that kills itself, as `kill -9` would, once at each point that its work comes to; forked by victims.py.

Which points there are nobody lists: each order before and after it was given to its driver, each phase whose end is
known and not yet kept, each plan, and each write, before and after. A file for each death keeps others from it.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.deployer import course
from services.deployer.course import Next
from services.deployer.drivers import Driver, Order, Reachable
from services.deployer.drivers.process.driver import ProcessDriver
from services.deployer.engine import runner
from services.deployer.engine.leases import Leases
from services.deployer.engine.planner import Planner
from services.deployer.prestage.precheck import Precheck
from shared.process.service import Service, Wire, build
from shared.process.settings import Settings
from tests.service.deployer.fleet import deployer
from tests.support.process_sites import Bundles
from tests.support.process_victim import source_beside

LAST = "end kept"
"""The last point of every operation."""


class Deaths:
    """The points at which somebody died, as files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def at(self, point: str) -> None:
        """Die here, unless somebody has."""
        mark = self._folder / point.replace("/", " ")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class Deadly(Driver):
    """A driver whose deployer dies before and after it gives it an order."""

    def __init__(self, driver: Any, deaths: Deaths) -> None:
        self._driver = driver
        self._deaths = deaths
        for fact in ("capabilities", "brings", "asks_sites"):
            setattr(self, fact, getattr(driver, fact))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    async def start(self, orders: Sequence[Order]) -> None:
        self._die(orders, "to be given")
        await self._driver.start(orders)
        self._die(orders, "given")

    async def cancel(self, orders: Sequence[Order]) -> None:
        self._die(orders, "to be stopped")
        await self._driver.cancel(orders)
        self._die(orders, "stopped")

    def _die(self, orders: Sequence[Order], when: str) -> None:
        for order in orders:
            self._deaths.at(f"{order.key.partition('/')[2]} {when}")

    async def poll(self, orders: Sequence[Order]) -> Any:
        return await self._driver.poll(orders)

    async def has_revision(self, orders: Sequence[Order]) -> Any:
        return await self._driver.has_revision(orders)

    async def look(self, orders: Sequence[Order]) -> Any:
        return await self._driver.look(orders)

    async def reach(self, sites: Sequence[Reachable]) -> Any:
        return await self._driver.reach(sites)

    async def wait(self, seconds: float) -> None:
        await self._driver.wait(seconds)


def arm(deaths: Deaths) -> None:
    """Put deaths around what a runner does beside its drivers."""
    for owner, name, before, after in (
        (Leases, "claim", "", "taken up"),
        (Planner, "forward", "", "planned"),
        (Precheck, "first_moves", "", "planned"),
        (runner, "save", "to turn back", "turned back"),
        (runner, "finish", "end to be kept", ""),
        (runner.Runner, "_finish", "", LAST),
    ):
        setattr(owner, name, _deadly(getattr(owner, name), deaths, before, after))
    course.advance = _moving(course.advance, deaths)


def _deadly(function: Callable[..., Any], deaths: Deaths, before: str, after: str) -> Callable[..., Any]:
    """Nothing happens around a call that had nothing to do."""
    signature = inspect.signature(function)

    async def called(*args: Any, **more: Any) -> Any:
        given = list(signature.bind(*args, **more).arguments.values())
        idle = any(value == [] for value in given)
        if before and not idle:
            deaths.at(before)
        found = await function(*args, **more)
        if after and not idle and found not in (0, []):
            deaths.at(after)
        return found

    return called


def _moving(advance: Callable[..., Any], deaths: Deaths) -> Callable[..., Any]:
    def advanced(before: Any, *args: Any) -> Any:
        after, todo = advance(before, *args)
        if (after.leg, after.phase) != (before.leg, before.phase) or todo in (Next.END, Next.RECOVER):
            deaths.at(f"{before.leg} {before.phase} known to be over")
        return after, todo

    return advanced


def process_driver(home: Path, bundles: Path) -> ProcessDriver:
    """With the blob store beside the home."""
    return ProcessDriver(home, Bundles(bundles, []).unpack, source=source_beside(home))


def main(settings: str, home: str, bundles: str, deaths: str) -> None:
    """Work until it dies."""
    found = Deaths(Path(deaths))
    arm(found)
    asyncio.run(_serve(Settings.model_validate_json(settings), Path(home), Path(bundles), found))


async def _serve(settings: Settings, home: Path, bundles: Path, deaths: Deaths) -> None:
    processes = Deadly(process_driver(home, bundles), deaths)
    wire = deployer(lambda devices: Deadly(devices, deaths), also={"process": processes}, **LIMITS)
    await (await build("deployer", only_runs(wire), settings)).run()


def only_runs(wire: Wire) -> Wire:
    """A replica that carries out operations and leaves commands to others: none has to wait for its share of them."""

    async def wired(service: Service) -> None:
        await wire(service)
        service.topics = ()

    return wired


LIMITS = {"recovery_seconds": 120, "stop_seconds": 60}
