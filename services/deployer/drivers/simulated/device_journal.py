"""The journal of the simulated devices: what really happened to them, told by nobody but themselves.

One append-only file of JSON lines, shared by every process: whoever wants to write takes the lock, reads what others
wrote since, and appends in one go. It survives the end of any process, as a device would. (It is not synced to the
disk: the machine that loses it has lost the devices too.)
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path
from sys import intern
from typing import Any, Literal

import orjson

Effect = Literal["started", "ended", "failed", "crashed", "cancelled"]

Place = tuple[str, str, str]
"""Site, app and component."""

Line = Mapping[str, Any]
"""at, site, app, component, order, effect, version, action (null when the device was not touched); of a start also
`fate`, `began_at` and `ends_at` (epoch seconds, null = never); of what did not end well also `code` and `message`."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An order that is under way: how it will end is known from the start, as only devices know it."""

    line: Line
    began_at: float
    ends_at: float | None
    fate: str


@dataclass(frozen=True, slots=True)
class Over:
    """An order that is over."""

    effect: Effect
    version: str | None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A component on a site. `runs` is None when nothing works there; `kept` are the revisions that lie there."""

    runs: str | None = None
    kept: tuple[str, ...] = ()


class DeviceJournal:
    """The file and what it says, kept up to date by `catch_up` and `writing`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._read_to = 0
        self._ending: list[tuple[float, str]] = []
        self._devices: dict[Place, Device] = {}
        self.orders: dict[str, Begun | Over] = {}

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    # -- reading --------------------------------------------------------------------------------------------------

    def device(self, place: Place) -> Device:
        """How a component stands, as far as the journal was read."""
        return self._devices.get(place, _EMPTY)

    def running(self, site: str) -> dict[str, str]:
        """What runs on a site now: component -> version."""
        self.catch_up()
        return {name: d.runs for (where, _, name), d in self._devices.items() if where == site and d.runs}

    def lines(self) -> list[Line]:
        """Every line ever written, in order."""
        return [orjson.loads(line) for line in self.path.read_bytes().splitlines()]

    def catch_up(self) -> None:
        """Read what others wrote since; takes the lock only if there is something."""
        if os.fstat(self._file).st_size != self._read_to:
            with self.writing():
                pass

    def next_end(self) -> float | None:
        """When the next order under way ends, in epoch seconds; None = none does by itself."""
        while self._ending and not isinstance(self.orders[self._ending[0][1]], Begun):
            heappop(self._ending)
        return self._ending[0][0] if self._ending else None

    def due(self, now: float) -> Iterator[tuple[str, Begun]]:
        """The orders whose time has come, each once."""
        while (end := self.next_end()) is not None and end <= now:
            key = heappop(self._ending)[1]
            begun = self.orders[key]
            if isinstance(begun, Begun):
                yield key, begun

    # -- writing --------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[list[Line]]:
        """Hold the lock, knowing all that others wrote; the lines put to the list are appended in one go."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._read_on()
            lines: list[Line] = []
            yield lines
            self._append(lines)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _read_on(self) -> None:
        """Take what others appended; a torn last line is cut off: its writer died, so that effect never was."""
        size = os.fstat(self._file).st_size
        if size == self._read_to:
            return
        news = os.pread(self._file, size - self._read_to, self._read_to)
        whole = news.rfind(b"\n") + 1
        if whole < len(news):
            os.ftruncate(self._file, self._read_to + whole)
        self._take(orjson.loads(line) for line in news[:whole].splitlines())
        self._read_to += whole

    def _append(self, lines: list[Line]) -> None:
        if not lines:
            return
        news = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        written = 0
        while written < len(news):
            written += os.write(self._file, news[written:])
        self._read_to += written
        self._take(lines)

    def _take(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if line["effect"] == "started":
                self._begin(line)
            else:
                self._end(line)

    def _begin(self, line: Line) -> None:
        key, ends_at = line["order"], line["ends_at"]
        self.orders[key] = Begun(line, line["began_at"], ends_at, line["fate"])
        if ends_at is not None:
            heappush(self._ending, (ends_at, key))

    def _end(self, line: Line) -> None:
        version = intern(line["version"]) if line["version"] else None
        effect: Effect = line["effect"]
        self.orders[line["order"]] = _over(effect, version, line.get("code", ""), line.get("message", ""))
        if line["action"] is not None:
            place = (intern(line["site"]), intern(line["app"]), intern(line["component"]))
            self._devices[place] = _changed(self._devices.get(place, _EMPTY), effect, line["action"], version)


_EMPTY = Device()
_OVERS: dict[tuple[Effect, str | None], Over] = {}


def _over(effect: Effect, version: str | None, code: str, message: str) -> Over:
    """Thousands of orders end in the same way; they share one value."""
    if effect == "ended":
        return _OVERS.setdefault((effect, version), Over(effect, version))
    return Over(effect, version, code, message)


def _changed(device: Device, effect: Effect, action: str, version: str | None) -> Device:
    """A device after an effect: whatever did not end well leaves it without anything that works."""
    if effect != "ended":
        return Device(None, device.kept)
    if action == "remove" or version is None:
        return _EMPTY
    kept = device.kept if version in device.kept else (*device.kept, version)
    return Device(version, kept)
