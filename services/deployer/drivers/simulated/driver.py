"""The simulated driver: devices that only pretend, for tests, benches and capacity planning.

A device succeeds, fails, hangs or crashes, and takes its time: by the rule of its site, by what its connection says
({"simulated": "fail"}), or by chance seeded with the component's seed, the site and the order, in this sequence.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import orjson

from services.deployer.drivers import (
    OBLIGATORY,
    Broken,
    Done,
    Driver,
    Order,
    Progress,
    Reachable,
    Reached,
    Running,
)
from services.deployer.drivers.simulated.content import Holds, Missing, arrived, bytes_of, missing_for
from services.deployer.drivers.simulated.device_journal import MOST_BYTES, DeviceJournal
from services.deployer.drivers.simulated.values import Begun, Line, Over
from services.deployer.settings import DeployerSettings
from shared.components.simulated import SimulatedSpec
from shared.process.settings import Settings

HALF_WAY = 0.5
"""Of its time a device that crashes dies, and of the content for one that fails so much has arrived."""

FATES = ("succeed", "fail", "hang", "crash")
_NOT_STARTED = Broken("not_started", "the device knows nothing of this order")
_SAYING = {
    "fail": ("failed", "failed", "the device reported a failure"),
    "crash": ("crashed", "crashed", "the device died half-way"),
    "invalid": ("failed", "bad_connection", f"the connection's 'simulated' must be one of {', '.join(FATES)}"),
}


class SimulatedDriver(Driver):
    """Devices whose journal lies in `home`; every driver on the same home speaks of the same devices.

    A journal of more than `most_bytes` is made anew without what nobody asks for any more.
    """

    capabilities = OBLIGATORY | {"fetch", "discard"}

    def __init__(self, home: Path, most_bytes: int = MOST_BYTES) -> None:
        self.journal = DeviceJournal(home / "journal.jsonl", most_bytes)
        self._moved = asyncio.Event()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The driver of a service: devices under its home."""
        return cls(settings.home / "devices", DeployerSettings().simulated_mib * 2**20)

    async def start(self, orders: Sequence[Order]) -> None:
        """Begin what was not begun before; what takes no time is over at once."""
        now, at = time.time(), _iso_now()
        with self.journal.writing() as lines:
            fresh = {order.key: order for order in orders if order.key not in self.journal.orders}
            for order in fresh.values():
                lines.extend(_begin(order, self.journal.holds(order.site), now, at))
        self._wake()

    async def poll(self, orders: Sequence[Order]) -> Sequence[Progress]:
        """How each order stands, after everything was told whose time has come."""
        now = time.time()
        self.journal.catch_up()
        self._settle(now)
        known = self.journal.orders
        return [_progress(known.get(order.key), now) for order in orders]

    async def cancel(self, orders: Sequence[Order]) -> None:
        """Stop what runs; what was never begun can never begin after this."""
        at = _iso_now()
        self._settle(time.time())
        with self.journal.writing() as lines:
            for order in orders:
                known = self.journal.orders.get(order.key)
                if not isinstance(known, Over):
                    said = {"code": "cancelled", "message": "cancelled while it ran" if known else "never begun"}
                    facts = _facts(order) if known else {**_facts(order), "action": None}
                    came = arrived(known.line, _part(known, time.time())) if known else {}
                    lines.append({"at": at, "effect": "cancelled", **facts, **said, **came})
        self._wake()

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool]:
        """Whether the device still has what it once ran; removing a component clears it out."""
        self.journal.catch_up()
        devices = (self.journal.device((order.site, order.app, order.component.name)) for order in orders)
        return [order.revision in device.kept for order, device in zip(orders, devices, strict=True)]

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """Whether the device still runs what it was left with."""
        self.journal.catch_up()
        devices = (self.journal.device((order.site, order.app, order.component.name)) for order in orders)
        return [_looked(order, device.runs) for order, device in zip(orders, devices, strict=True)]

    async def reach(self, sites: Sequence[Reachable]) -> Sequence[Reached | Broken]:
        """As their connections say: `online`, `free_bytes`, `facts`. A device that says nothing answers."""
        return [_reached(site.connection) for site in sites]

    async def wait(self, seconds: float) -> None:
        """Until the next effect ends, at the latest after `seconds`."""
        end = self.journal.next_end()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds if end is None else max(min(seconds, end - time.time()), 0)):
                await self._moved.wait()

    def _settle(self, now: float) -> None:
        """Tell what has come to its end by now; whichever process asks first writes it, once."""
        end = self.journal.next_end()
        if end is None or end > now:
            return
        at = _iso_now()
        with self.journal.writing() as lines:
            lines.extend(_end(begun.line, begun.fate, at) for _, begun in self.journal.due(now))

    def _wake(self) -> None:
        """Let those go on that wait now; nobody else has missed anything."""
        self._moved.set()
        self._moved.clear()


_ANSWERS = Reached()


def _reached(connection: Mapping[str, Any]) -> Reached | Broken:
    if not connection:
        return _ANSWERS  # of a hundred thousand devices most say nothing
    if connection.get("online", True) is not True:
        return Broken("unreachable", "the device does not answer")
    free, facts = connection.get("free_bytes"), connection.get("facts")
    room = free if isinstance(free, int) and free >= 0 else None
    return Reached(room, {str(k): str(v) for k, v in facts.items()} if isinstance(facts, Mapping) else {})


def _looked(order: Order, runs: str | None) -> Broken | None:
    if runs == order.revision:
        return None
    return Broken("fallen", f"the device runs {runs or 'nothing'}, and not {order.revision}")


def _progress(known: Begun | Over | None, now: float) -> Progress:
    if known is None:
        return _NOT_STARTED
    if isinstance(known, Over):
        return _done(known) if known.effect == "ended" else _broken(known)
    if known.ends_at is None:
        return Running("it does not answer")
    return Running(percent=max(0, min(99, int(100 * _part(known, now)))))


def _done(over: Over) -> Done:
    return Done(over.version or "", fetched_bytes=over.fetched_bytes)


def _part(begun: Begun, now: float) -> float:
    """How much of its time is over."""
    return 0 if begun.ends_at is None else (now - begun.began_at) / (begun.ends_at - begun.began_at)


def _broken(over: Over) -> Broken:
    return Broken(over.code, over.message, (over.message,))


def _begin(order: Order, holds: Holds, now: float, at: str) -> list[Line]:
    fate = _fate(order)
    missing = missing_for(order, holds, _simulated(order).content_bytes)
    seconds = _seconds(order) + _transfer_seconds(order, missing)
    if fate == "crash":
        seconds *= HALF_WAY
    ends_at = None if fate == "hang" else now + seconds
    timing = {"fate": fate, "began_at": now, "ends_at": ends_at}
    content: dict[str, Any] = {"missing": missing} if missing else {}
    if order.action == "discard":
        content = {"dropped": [item.sha256 for item in order.items]}
    started: Line = {"at": at, "effect": "started", **_facts(order), **timing, **content, **_brought(order)}
    return [started, _end(started, fate, at)] if seconds == 0 and fate != "hang" else [started]


def _brought(order: Order) -> dict[str, str]:
    """The digest of the values that an order brings, not the values: they may hold secrets."""
    values = _simulated(order).values if order.action in ("apply", "rollback") else {}
    return {"values_sha256": _sha256(values)} if values else {}


def _sha256(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _end(started: Line, fate: str, at: str) -> Line:
    facts = {name: started[name] for name in ("site", "app", "component", "order", "version", "action")}
    if fate == "succeed":
        dropped = {"dropped": started["dropped"]} if "dropped" in started else {}
        return {"at": at, "effect": "ended", **facts, **arrived(started, 1), **dropped}
    facts |= arrived(started, HALF_WAY)
    effect, code, message = _SAYING[fate]
    doing = f"{message} during {started['action']} of {started['component']} {started['version'] or ''}".rstrip()
    return {"at": at, "effect": effect, **facts, "code": code, "message": doing}


def _facts(order: Order) -> dict[str, Any]:
    return {
        "site": order.site,
        "app": order.app,
        "component": order.component.name,
        "order": order.key,
        "version": order.version,
        "action": order.action,
    }


def _fate(order: Order) -> str:
    spec = _simulated(order)
    goes = order.action in ("remove", "discard")
    if not goes and order.site in spec.sites:
        return spec.sites[order.site]
    if wished := order.connection.get("simulated"):
        return wished if wished in FATES else "invalid"
    chances = spec.fail + spec.hang + spec.crash
    if goes or not chances:
        return "succeed"
    return _by_chance(spec, _drawn(spec, order, "fate"))


def _by_chance(spec: SimulatedSpec, drawn: float) -> str:
    for fate, chance in (("fail", spec.fail), ("hang", spec.hang), ("crash", spec.crash)):
        if drawn < chance:
            return fate
        drawn -= chance
    return "succeed"


def _seconds(order: Order) -> float:
    spec = _simulated(order)
    shortest, longest = spec.seconds
    return shortest + (longest - shortest) * _drawn(spec, order, "seconds") if longest else 0.0


def _transfer_seconds(order: Order, missing: Missing) -> float:
    rate = order.connection.get("bytes_a_second") or _simulated(order).bytes_a_second
    return bytes_of(missing) / float(rate) if rate and missing else 0.0


def _drawn(spec: SimulatedSpec, order: Order, what: str) -> float:
    """A number from 0 to 1 that seed, site and order always draw again."""
    text = f"{spec.seed}/{order.site}/{order.key}/{what}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64


def _simulated(order: Order) -> SimulatedSpec:
    spec = order.component.spec
    if not isinstance(spec, SimulatedSpec):
        raise TypeError(f"the simulated driver was given the component {order.component.name} of another driver")
    return spec


def _iso_now() -> str:
    return datetime.now(UTC).isoformat()
