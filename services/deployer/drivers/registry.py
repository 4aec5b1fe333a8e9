"""All drivers of this process as one: a batch is split by driver, and one driver's trouble stays its own."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import partial

import structlog

from services.deployer.drivers import (
    OBLIGATORY,
    REACH_SECONDS,
    VERBS,
    Broken,
    Driver,
    Foreseeing,
    Looking,
    Order,
    Progress,
    Reachable,
    Reached,
    Reaching,
    Running,
    Tended,
    Verb,
)
from services.deployer.drivers.asking import ask_each
from shared.core.errors import BelayError
from shared.entry_points import registered
from shared.messages.deployer import ComponentDecision
from shared.process.settings import Settings

log = structlog.get_logger()

GROUP = "belay.drivers"

FORESEE_SECONDS = 3.0
"""Whoever asks for a preview waits for it, and other commands wait behind."""


LOOK_SECONDS = 30.0
"""Whoever looks after what was deployed has so much time for a hundred sites."""

REACH_GRACE_SECONDS = 3.0
"""A driver that bounds each site itself is a moment late when many are slow."""


NOBODY: frozenset[str] = frozenset()


class BadDriver(BelayError):
    """A driver that declares what no driver can, or does not declare what each must."""


class DriverRegistry:
    """The drivers by name. Every verb takes orders of any of them, and answers in the order of the orders."""

    def __init__(self, drivers: Mapping[str, Driver]) -> None:
        for name, driver in drivers.items():
            if wrong := (OBLIGATORY - driver.capabilities) or (driver.capabilities - VERBS):
                needed = (
                    f"every driver can {', '.join(sorted(OBLIGATORY))}; some {', '.join(sorted(VERBS - OBLIGATORY))}"
                )
                raise BadDriver(f"the driver {name} declares wrongly: {', '.join(sorted(wrong))} ({needed})")
        self._drivers = drivers
        self._bringing = {name for name, driver in drivers.items() if driver.brings and "fetch" in driver.capabilities}

    @classmethod
    def installed(cls, settings: Settings) -> "DriverRegistry":
        """All that are installed with this process. Raises BadEntryPoint and BadDriver."""
        return cls({name: make(settings) for name, make in registered(GROUP).items()})

    def __contains__(self, name: object) -> bool:
        return name in self._drivers

    @property
    def names(self) -> list[str]:
        """All of them."""
        return sorted(self._drivers)

    @property
    def tended(self) -> list[Tended]:
        """The drivers with work of their own."""
        return [driver for driver in self._drivers.values() if isinstance(driver, Tended)]

    def can(self, driver: str, verb: Verb) -> bool:
        """Whether a driver is here, and declares the verb."""
        return driver in self._drivers and verb in self._drivers[driver].capabilities

    def fetching(self, plan: Iterable[ComponentDecision]) -> frozenset[str]:
        """The components of a plan that their drivers bring from elsewhere when they deploy them."""
        if not self._bringing:
            return NOBODY
        return frozenset(w.component for w in plan if w.driver in self._bringing and w.action in ("apply", "rollback"))

    async def start(self, orders: Sequence[Order]) -> set[str]:
        """Start them; returns the keys of those whose driver could not be reached, to be started again later."""
        missed: set[str] = set()
        for name, mine in _by_driver(orders).items():
            try:
                await self._drivers[name].start(mine)
            except Exception:
                log.exception("a driver could not start orders", action="driver_failed", driver=name, orders=len(mine))
                missed.update(order.key for order in mine)
        return missed

    async def cancel(self, orders: Sequence[Order]) -> None:
        """Cancel them. A driver that cannot is logged: the course gives its orders up when the time to stop is over."""
        for name, mine in _by_driver(orders).items():
            try:
                await self._drivers[name].cancel(mine)
            except Exception:
                log.exception("a driver could not cancel orders", action="driver_failed", driver=name, orders=len(mine))

    async def poll(self, orders: Sequence[Order]) -> list[Progress]:
        """How they stand; what a driver cannot say counts as running, until the operation's time is up."""
        known: dict[str, Progress] = {}
        for name, mine in _by_driver(orders).items():
            try:
                answers: Iterable[Progress] = await self._drivers[name].poll(mine)
            except Exception as error:
                log.exception("a driver could not be asked", action="driver_failed", driver=name, orders=len(mine))
                answers = [Running(f"the driver {name} cannot be asked: {error!r}"[:500])] * len(mine)
            known.update(zip((order.key for order in mine), answers, strict=True))
        return [known[order.key] for order in orders]

    async def has_revision(self, orders: Sequence[Order]) -> list[bool | None]:
        """Whether the revisions they name still exist; None = nobody knows, also where a driver is not here or
        cannot be asked."""
        known: dict[str, bool | None] = {}
        for name, mine in _by_driver(orders).items():
            answers = await _kept(name, self._drivers.get(name), mine)
            known.update(zip((order.key for order in mine), answers, strict=True))
        return [known[order.key] for order in orders]

    def asks_sites(self, driver: str) -> bool:
        """Whether a driver's answers about revisions may take as long as its slowest site."""
        return driver in self._drivers and self._drivers[driver].asks_sites

    async def foresee(self, orders: Sequence[Order]) -> list[Sequence[str]]:
        """What each would change, as far as its driver can say so beforehand, and does within some seconds."""
        by_driver = _by_driver(orders).items()
        answers = await asyncio.gather(*(_foreseen(name, self._drivers.get(name), mine) for name, mine in by_driver))
        known = {
            order.key: lines
            for (_, mine), answer in zip(by_driver, answers, strict=True)
            for order, lines in zip(mine, answer, strict=True)
        }
        return [known[order.key] for order in orders]

    @property
    def heeding(self) -> list[str]:
        """The drivers that are told of each site that they reach whether anything was deployed there."""
        return [name for name, driver in self._drivers.items() if getattr(driver, "heeds_deployed", False)]

    async def look(self, orders: Sequence[Order]) -> list[Broken | None]:
        """Why what each names is well no more; None = it is, or nobody can say that now, within some seconds."""
        known: dict[str, Broken | None] = {}
        for name, mine in _by_driver(orders).items():
            known.update(
                zip((order.key for order in mine), await _looked(name, self._drivers.get(name), mine), strict=True)
            )
        return [known[order.key] for order in orders]

    def can_reach(self, driver: str) -> bool:
        """Whether a driver is installed here and can ask sites whether they answer."""
        return isinstance(self._drivers.get(driver), Reaching)

    async def reach(self, driver: str, sites: Sequence[Reachable]) -> list[Reached | Broken | None]:
        """What each site said, or why it does not answer; None where the driver as a whole cannot ask.

        A driver that hangs or breaks over a batch is asked for each site alone: what is wrong with one must not be
        that of the others.
        """
        asking = self._drivers.get(driver)
        if not isinstance(asking, Reaching):
            return [None] * len(sites)
        return await ask_each(driver, partial(_reached, asking), sites, partial(_not_reached, driver))

    async def wait(self, seconds: float) -> None:
        """Until any driver may have moved, at the latest after `seconds`."""
        await first_of([_patient(name, driver, seconds) for name, driver in self._drivers.items()])


async def first_of(waits: Iterable[Awaitable[object]]) -> None:
    """Until one of them returns; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kept(name: str, driver: Driver | None, orders: Sequence[Order]) -> Sequence[bool | None]:
    if driver is None:
        return [None] * len(orders)
    return await ask_each(name, driver.has_revision, orders, partial(_unanswered, name))


async def _foreseen(name: str, driver: Driver | None, orders: Sequence[Order]) -> Sequence[Sequence[str]]:
    if not isinstance(driver, Foreseeing):
        return [()] * len(orders)
    try:
        async with asyncio.timeout(FORESEE_SECONDS):
            return await ask_each(name, driver.foresee, orders, partial(_not_foreseen, name))
    except TimeoutError:
        return [("what would change could not be found out in time",)] * len(orders)


def _not_foreseen(name: str, order: Order, error: Exception) -> Sequence[str]:
    _unanswered(name, order, error)
    return ("what would change could not be found out",)


async def _looked(name: str, driver: Driver | None, orders: Sequence[Order]) -> Sequence[Broken | None]:
    if not isinstance(driver, Looking):
        return [None] * len(orders)
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await ask_each(name, driver.look, orders, partial(_unanswered, name))
    except TimeoutError:
        log.warning("a driver did not keep to its time", action="driver_slow", driver=name, orders=len(orders))
    return [None] * len(orders)


def _unanswered(name: str, order: Order, error: Exception) -> None:
    about = {"driver": name, "order": order.key, "site": order.site, "error": repr(error)[:200]}
    log.error("a driver could not be asked", action="driver_failed", **about)


async def _reached(driver: Reaching, sites: Sequence[Reachable]) -> Sequence[Reached | Broken | None]:
    """Raises TimeoutError when the driver did not keep to its time, and whatever else it breaks on."""
    async with asyncio.timeout(REACH_SECONDS + REACH_GRACE_SECONDS):
        return await driver.reach(sites)


def _not_reached(name: str, site: Reachable, error: Exception) -> Reached | Broken | None:
    if isinstance(error, TimeoutError):
        return Broken("timeout", f"the driver {name} had no answer within {REACH_SECONDS:g} s")
    about = {"driver": name, "site": site.site, "error": repr(error)[:200]}
    log.error("a driver could not ask a site", action="driver_failed", **about)
    return None


async def _patient(name: str, driver: Driver, seconds: float) -> None:
    """A driver that cannot even wait must not make everybody run in circles."""
    try:
        await driver.wait(seconds)
    except Exception:
        log.exception("a driver could not wait", action="driver_failed", driver=name)
        await asyncio.sleep(seconds)


def _by_driver(orders: Sequence[Order]) -> dict[str, list[Order]]:
    split: dict[str, list[Order]] = {}
    for order in orders:
        split.setdefault(order.component.driver, []).append(order)
    return split
