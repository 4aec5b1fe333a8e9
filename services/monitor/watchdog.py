"""When faust had better be started anew, pure: its consumer, its recovery and its memory can go wrong in silence.

A new application in the same process is the cure of the first two, and costs seconds; memory comes back only with a
new process.
"""

from dataclasses import dataclass


class Unwell(Exception):
    """The application had better be started anew; the message says why."""


class Incurable(Unwell):
    """Only a new process helps."""


class Stuck(Incurable):
    """The old application does not let go of its thread and its partitions."""


class Grown(Incurable):
    """Memory that was lost does not come back."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is looked at once a second."""

    joined: bool
    """We have our share of the partitions, restored."""
    waiting: bool
    """Records wait to be handled."""
    handled: int
    """Records handled so far."""
    restored: int
    """How far the changelogs were read; any change is progress."""
    memory_mib: int


class Watchdog:
    """Remembers when things last moved."""

    def __init__(self, stall_seconds: float, restore_seconds: float, memory_mib: int) -> None:
        self._stall = stall_seconds
        self._restore = restore_seconds
        self._memory = memory_mib
        self._before: Vitals | None = None
        self._moved_at = 0.0

    def look(self, vitals: Vitals, now: float) -> None:
        """`now`: seconds of any steady clock. Raises Unwell, or Grown."""
        if self._moved(vitals):
            self._moved_at = now
        self._before = vitals
        still = now - self._moved_at
        if vitals.joined and still > self._stall:
            raise Unwell(f"records wait, but none was handled for {still:.0f} seconds")
        if not vitals.joined and still > self._restore:
            raise Unwell(f"without its partitions, and nothing restored, for {still:.0f} seconds")
        if vitals.memory_mib > self._memory:
            raise Grown(f"the process has grown beyond {self._memory} MiB")

    def _moved(self, now: Vitals) -> bool:
        before = self._before
        if before is None or now.joined != before.joined:
            return True
        if now.joined:
            return not now.waiting or now.handled != before.handled
        return now.restored != before.restored
