"""What has become of each order, kept in files: a deployer that was killed, or another one, reads on from there."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from services.deployer.drivers import Broken, Done, Order, Progress, Running
from services.deployer.drivers.locks import lock_within
from services.deployer.drivers.process.keeper.folder import read_json, write_json
from services.deployer.drivers.process.place import Place

STEPS = {
    "queued": (0, "waits for its transaction"),
    "ready": (10, "installs the release beside the one that runs"),
    "install": (10, "installs the release"),
    "stop": (40, "stops the running release"),
    "switch": (50, "switches to the new release"),
    "launch": (60, "starts the new release"),
    "prove": (70, "waits until it is healthy"),
    "remove": (50, "removes the component"),
    "fetch": (10, "fetches what is missing on the site"),
    "discard": (50, "takes content away that is kept no longer"),
}
"""Each step of an order: per cent done when it begins, and what it does, for people."""


class OrderFile:
    """The file of one order. The newest order of a component owns it: an older one that is unfinished gives way."""

    def __init__(self, place: Place, order: Order) -> None:
        self.key = order.key
        self._order = order
        self._root = place.folder.root
        name = hashlib.sha256(order.key.encode()).hexdigest()[:32]
        self._file = place.host / "orders" / f"{name}.json"
        self._wish = place.host / "orders" / f"{name}.cancel"

    def begin(self) -> None:
        """Write the order down, if that has not been done, as the newest of its component.

        Raises TimeoutError if somebody holds the lock that others need for a moment only.
        """
        with self._first() as first:
            if first:
                write_json(self._root / "newest.json", {"key": self.key})
                self._write("queued", None)

    def cancel(self) -> None:
        """Wish for the end, which whoever works on the order sees at the next safe point.

        An order that was never begun ends at once; it may be an old one, and takes nothing from a newer.
        Raises TimeoutError like `begin`.
        """
        with self._first() as first:
            if first:
                self.finish(Broken("cancelled", "the order was cancelled before it began"))
            else:
                self._wish.touch()  # a file of its own, because the journal is its worker's

    @contextmanager
    def _first(self) -> Iterator[bool]:
        """Whether nothing was noted of this order so far; nobody else gets the same answer meanwhile."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._root.mkdir(parents=True, exist_ok=True)
        lock = lock_within(self._root / "newest.lock", seconds=5)
        if lock is None:
            raise TimeoutError(f"cannot lock {self._root}")
        try:
            yield not self._file.exists()
        finally:
            os.close(lock)

    def step(self, name: str) -> None:
        """Note that a step begins."""
        self._write(name, None)

    @property
    def fetched_bytes(self) -> int:
        """What was noted as sent, by this worker and those before."""
        return int(read_json(self._file).get("fetched_bytes") or 0)

    def note_fetched(self, count: int) -> None:
        """Note that so many bytes more are sent."""
        found = read_json(self._file)
        write_json(self._file, {**found, "fetched_bytes": int(found.get("fetched_bytes") or 0) + count})

    def finish(self, result: Done | Broken) -> None:
        """Note the end. It never changes afterwards."""
        if isinstance(result, Done):
            result = replace(result, fetched_bytes=self.fetched_bytes)
        self._write("finished", {"kind": type(result).__name__, **asdict(result)})

    def progress(self) -> Progress:
        """How the order stands; `Broken` with code `not_started` if it was never begun."""
        found = read_json(self._file)
        if not found:
            return Broken("not_started", f"the order {self.key} was never started on this host")
        if found["result"]:
            return _result(found["result"])
        percent, detail = STEPS[found["step"]]
        return Running(detail, percent)

    @property
    def cancelled(self) -> bool:
        return self._wish.exists()

    @property
    def superseded(self) -> bool:
        """Whether a newer order for the same component was begun."""
        newest = read_json(self._root / "newest.json").get("key")
        return newest is not None and newest != self.key  # where all is gone, nothing newer was begun

    def _write(self, step: str, result: dict[str, Any] | None) -> None:
        order = self._order
        about = {"key": self.key, "site": order.site, "app": order.app, "component": order.component.name}
        wanted = {"action": order.action, "version": order.version, "revision": order.revision}
        fetched = {"fetched_bytes": count} if (count := self.fetched_bytes) else {}
        write_json(self._file, {**about, **wanted, **fetched, "step": step, "result": result})


def _result(found: dict[str, Any]) -> Done | Broken:
    if found["kind"] == "Done":
        return Done(found["revision"], found["detail"], found.get("fetched_bytes", 0))
    return Broken(found["code"], found["message"], tuple(found["last_lines"]))


FORGET_EVERY_SECONDS = 3600.0
"""Looked for with each order, a host of many sites would look at all orders of a month each time."""


def forget_old(orders: Path, seconds: float) -> None:
    """Delete what is noted of orders that nobody wrote to for so long; looked for once an hour."""
    looked = orders / ".looked"
    if _age(looked) > FORGET_EVERY_SECONDS:
        looked.touch()
        for file in orders.glob("*"):
            if _age(file) > seconds:
                file.unlink(missing_ok=True)


def _age(file: Path) -> float:
    """Seconds since it was written; one that is not there, or is deleted this moment, is older than anything."""
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return math.inf
