"""The name of a process for ever: its pid and its moment of birth. A pid alone is given to a stranger one day."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

import psutil

#: Seconds by which two readings of one process's birth may differ (the clock may be corrected).
SAME_BIRTH = 2.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A process that was started once; `born` in seconds since the epoch."""

    pid: int
    born: float

    @classmethod
    def of_this_process(cls) -> Mark:
        return cls(os.getpid(), psutil.Process().create_time())

    def alive(self) -> bool:
        """Whether that very process runs still. One that only waits to be buried does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) < SAME_BIRTH
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def group(self) -> list[int]:
        """The living pids of its process group, also when it has died itself; none if the number is a stranger's now.

        As long as a group has members the system gives its number to nobody else, so a living process of
        that pid with another birth tells that the group is gone.
        """
        if psutil.pid_exists(self.pid) and not self._same_birth():
            return []
        return [pid for pid in psutil.pids() if _lives_in(self.pid, pid)]

    def signal(self, number: int) -> None:
        """Signal the whole group, if it is still ours."""
        if self.group():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _same_birth(self) -> bool:
        try:
            return abs(psutil.Process(self.pid).create_time() - self.born) < SAME_BIRTH
        except psutil.NoSuchProcess:
            return True


def _lives_in(group: int, pid: int) -> bool:
    try:
        return os.getpgid(pid) == group and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
        return False
