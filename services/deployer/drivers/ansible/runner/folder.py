"""The folder of a run: where its runner and the deployer leave each other what they have to say."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from services.deployer.drivers.locks import try_lock

SHORT = 20
"""Characters of a path that leave room for the socket of Ansible's agent."""


def short_name(run: str) -> str:
    """The name of a run's other folder."""
    return f"belay-ansible-{run[:12]}"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run, mode 0700. What is in it holds no secret."""

    root: Path

    @property
    def id(self) -> str:
        """Another one for each run, also of the same order."""
        return self.root.name

    @property
    def told(self) -> Path:
        """What happened, one JSON a line, written by the runner."""
        return self.root / "told.jsonl"

    @property
    def stop(self) -> Path:
        """While it lies there the run ends before the next task."""
        return self.root / "stop"

    @property
    def attended(self) -> Path:
        """Touched by the deployer that looks after the run."""
        return self.root / "attended"

    @property
    def job(self) -> Path:
        """What is run; without anything secret."""
        return self.root / "job.json"

    @property
    def known_hosts(self) -> Path:
        """The keys that hosts must have."""
        return self.root / "known_hosts"

    @property
    def short(self) -> Path:
        """The run's other folder, for sockets: their names may have no more than 107 characters."""
        base = tempfile.gettempdir()
        return Path(base if len(base) <= SHORT else "/tmp", short_name(self.id))  # noqa: S108 - mode 0700

    def hold(self) -> int | None:
        """The lock that a runner inherits and holds for life; None while one does."""
        return try_lock(self.root / "alive.lock")

    def lives(self) -> bool:
        """Whether its runner is at work."""
        if (lock := self.hold()) is None:
            return True
        os.close(lock)
        return False

    def ended(self) -> bool:
        """Whether its run came to its end, and told how."""
        try:
            with self.told.open("rb") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - 200, 0))
                return b'"told":"end"' in file.read()
        except FileNotFoundError:
            return False
