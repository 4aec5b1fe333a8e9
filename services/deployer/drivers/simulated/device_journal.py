"""The journal of the simulated devices: what really happened to them, told by nobody but themselves.

One append-only file of JSON lines, shared by every process: whoever wants to write takes the lock, reads what others
wrote since, and appends in one go. It survives the end of any process, as a device would. (It is not synced to the
disk: the machine that loses it has lost the devices too.)

When it has grown too large, whoever writes makes it anew, in short (shortened.py): how each device stands, and the last
orders of each site. All others see that another file lies there, and read that.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from pathlib import Path
from sys import intern

import orjson

from services.deployer.drivers.simulated.content import Holds, taken
from services.deployer.drivers.simulated.shortened import HOLDS, STANDS, operation_of, shortened
from services.deployer.drivers.simulated.values import Begun, Device, Effect, Line, Over, Place

MOST_BYTES = 128 * 2**20
"""A journal larger than this, and than twice what it was when it was made anew, is made anew."""

ORDERS_KEPT = 8
"""Of each site, beside those of its newest operation: no process sleeps through more and then begins an old one."""

BESIDE = ("fetch", "discard")
"""Actions after which a device runs what it ran before, however they end."""

REVISIONS_KEPT = 100
"""Of each device; more than any deployment remembers."""


class DeviceJournal:
    """The file and what it says, kept up to date by `catch_up` and `writing`."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._most = self._limit = most_bytes
        self._open()

    def _open(self) -> None:
        """The file that lies there now, of which nothing was read yet."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._read_to = 0
        self._ending: list[tuple[float, str]] = []
        self._devices: dict[Place, Device] = {}
        self._content: dict[str, Holds] = {}
        self.orders: dict[str, Begun | Over] = {}
        self._of_site: dict[str, list[str]] = {}

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    # -- reading --------------------------------------------------------------------------------------------------

    def device(self, place: Place) -> Device:
        """How a component stands, as far as the journal was read."""
        return self._devices.get(place, _EMPTY)

    def holds(self, site: str) -> Holds:
        """What content lies on a site, by digest in bytes, as far as the journal was read."""
        return self._content.get(site, {})

    def running(self, site: str) -> dict[str, str]:
        """What runs on a site now: component -> version."""
        self.catch_up()
        return {name: d.runs for (where, _, name), d in self._devices.items() if where == site and d.runs}

    def lines(self) -> list[Line]:
        """Every line of the file, in order."""
        return [orjson.loads(line) for line in self.path.read_bytes().splitlines()]

    def catch_up(self) -> None:
        """Read what others wrote since; takes the lock only if there is something."""
        if self._replaced() or os.fstat(self._file).st_size != self._read_to:
            with self.writing():
                pass

    def next_end(self) -> float | None:
        """When the next order under way ends, in epoch seconds; None = none does by itself."""
        while self._ending and not isinstance(self.orders.get(self._ending[0][1]), Begun):
            heappop(self._ending)
        return self._ending[0][0] if self._ending else None

    def due(self, now: float) -> Iterator[tuple[str, Begun]]:
        """The orders whose time has come, each once."""
        while (end := self.next_end()) is not None and end <= now:
            key = heappop(self._ending)[1]
            begun = self.orders.get(key)
            if isinstance(begun, Begun):
                yield key, begun

    # -- writing --------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[list[Line]]:
        """Hold the lock, knowing all that others wrote; the lines put to the list are appended in one go."""
        self._lock()
        try:
            self._read_on()
            lines: list[Line] = []
            yield lines
            self._append(lines)
            if self._read_to > self._limit:
                self._shorten()
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _lock(self) -> None:
        """Lock the file that lies there; the one that was open may have been replaced while we waited."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        while self._replaced():
            os.close(self._file)
            self._open()
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def _replaced(self) -> bool:
        try:
            return self.path.stat().st_ino != os.fstat(self._file).st_ino
        except FileNotFoundError:
            return True  # somebody cleared the devices out

    def _shorten(self) -> None:
        """Put a shorter journal in the place of this one; both are locked until that is done."""
        path = self.path.with_suffix(".draft")
        draft = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        fcntl.flock(draft, fcntl.LOCK_EX)
        with os.fdopen(draft, "wb", closefd=False) as file:
            file.writelines(shortened(self._devices, self._content, self.orders, self._of_site))
        path.replace(self.path)
        os.close(self._file)
        self._file, self._read_to = draft, os.fstat(draft).st_size
        self._limit = max(self._most, 2 * self._read_to)

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
            elif line["effect"] == STANDS:
                self._devices[_place(line)] = Device(line["runs"], tuple(line["kept"]))
            elif line["effect"] == HOLDS:
                taken(self._content, line)
            else:
                self._end(line)

    def _begin(self, line: Line) -> None:
        key, ends_at = line["order"], line["ends_at"]
        self._remember(line["site"], key)
        self._forget(line["site"], operation_of(key))
        self.orders[key] = Begun(line, line["began_at"], ends_at, line["fate"])
        if ends_at is not None:
            heappush(self._ending, (ends_at, key))

    def _end(self, line: Line) -> None:
        version = intern(line["version"]) if line["version"] else None
        effect: Effect = line["effect"]
        self._remember(line["site"], line["order"])
        said = line.get("code", ""), line.get("message", ""), line.get("fetched_bytes", 0)
        self.orders[line["order"]] = _over(effect, version, *said)
        if "holds" in line or "dropped" in line:
            taken(self._content, line)
        if line["action"] is not None and line["action"] not in BESIDE:
            place = _place(line)
            self._devices[place] = _changed(self._devices.get(place, _EMPTY), effect, line["action"], version)

    def _remember(self, site: str, key: str) -> None:
        if key not in self.orders:
            self._of_site.setdefault(intern(site), []).append(key)

    def _forget(self, site: str, newest: str) -> None:
        """A site has one operation at a time: those before its newest are over, and their orders go bit by bit."""
        keys = self._of_site[site]
        while len(keys) > ORDERS_KEPT and operation_of(keys[0]) != newest and isinstance(self.orders[keys[0]], Over):
            del self.orders[keys.pop(0)]


def _place(line: Line) -> Place:
    return intern(line["site"]), intern(line["app"]), intern(line["component"])


_EMPTY = Device()
_OVERS: dict[tuple[Effect, str | None, int], Over] = {}


def _over(effect: Effect, version: str | None, code: str, message: str, fetched_bytes: int) -> Over:
    """Thousands of orders end in the same way; they share one value."""
    if effect == "ended":
        return _OVERS.setdefault((effect, version, fetched_bytes), Over(effect, version, fetched_bytes=fetched_bytes))
    return Over(effect, version, code, message, fetched_bytes)


def _changed(device: Device, effect: Effect, action: str, version: str | None) -> Device:
    """A device after an effect: whatever did not end well leaves it without anything that works."""
    if effect != "ended":
        return Device(None, device.kept)
    if action == "remove" or version is None:
        return _EMPTY
    kept = device.kept if version in device.kept else (*device.kept, version)
    return Device(version, kept[-REVISIONS_KEPT:])
