"""Whether what starts is getting anywhere: on a busy machine a start takes as long as it takes; only silence ends it.

Nothing here says what is ready; it says of what is not whether it still moves, and how it ended if it did.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psutil

from shared.embedded.home import Home

LAST_LINES, LONGEST_TAIL = 5, 4096
ENDED = frozenset({"BACKOFF", "EXITED", "FATAL"})
"""What supervisord says of a process that ended without having been told to."""


class Progress:
    """Notes when anything moved last."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._signs: Mapping[str, object] = {}
        self._moved = time.monotonic()

    def note(self, signs: Mapping[str, object]) -> None:
        """`signs`: of each part that is not ready whatever changes as long as it goes on."""
        if signs != self._signs:
            self._signs, self._moved = dict(signs), time.monotonic()

    @property
    def stalled(self) -> bool:
        """Whether nothing has moved for too long."""
        return time.monotonic() - self._moved > self.patience


def worked(pid: int) -> int:
    """Whole seconds of a processor that a process and its children have had; a busy one has more the next time."""
    try:
        family = (process := psutil.Process(pid), *process.children(recursive=True))
        return int(sum(sum(one.cpu_times()[:2]) for one in family))
    except psutil.Error:
        return 0


class Ends:
    """Tells of processes of a supervisor that ended. It starts them anew by itself."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._pids: dict[str, int] = {}
        self.times: Counter[str] = Counter()

    def look(self, processes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
        """Name, and what is told of it: at once at the 1st, 2nd, 4th … time, with the last that it wrote."""
        for one in processes:
            name, pid = one["name"], one["pid"]
            before = self._pids.get(name, 0)
            self._pids[name] = pid
            if not (before and (pid not in {0, before} or one["statename"] in ENDED)):
                continue
            self.times[name] += 1
            times = self.times[name]
            if times & (times - 1) == 0:
                often = f" ({times} times by now)" if times > 1 else ""
                log = f"its log: {self._home.logs / name}.log"
                yield name, f"{name} ended and is started again{often}; {log}"
                yield from ((name, f"    {line}") for line in last_lines(self._home, name))

    def pid(self, name: str) -> int:
        """Of its process as it was last seen; 0 = none."""
        return self._pids.get(name, 0)


def last_lines(home: Home, name: str) -> list[str]:
    """The last that a process wrote."""
    try:
        with (home.logs / f"{name}.log").open("rb") as log:
            log.seek(max(log.seek(0, 2) - LONGEST_TAIL, 0))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line.rstrip() for line in lines if line.strip()][-LAST_LINES:]
