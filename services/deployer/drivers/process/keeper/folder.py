"""What the driver and the keeper tell each other, as files in the folder of a site's component.

Every file is replaced whole, so a reader never sees half of it, and each has one writer: `launch.json` the driver
that holds `work.lock`, `life.json` whoever holds `alive.lock`, `keeper.json` the keeper that holds `keeper.lock`.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.deployer.drivers.process.keeper.mark import Mark

LOG_BYTES = 5_000_000
"""A component's log is cut at this size; the one before is kept beside it."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What shall run. All times in seconds."""

    id: str
    """Another one for each launch, also of the same order."""
    order: str
    """Key of the order that launched it."""
    revision: str
    argv: tuple[str, ...]
    env: dict[str, str]
    """Without the variables whose values are secrets."""
    port: int
    stop_seconds: float
    wanted: bool = True
    """False: nothing shall run; the keeper leaves."""
    proven: bool = False
    """It was healthy once. Only then is a crash an accident that a restart can mend."""
    log_from: int = 0
    """Size of the log at the launch, where the words of this launch begin."""
    restart_limit: int = 10
    restart_seconds: float = 0.5
    """Wait before the first restart; doubled for each further one."""
    secrets: tuple[str, ...] = ()
    """Variables whose values are secrets: these are kept in memory alone."""


@dataclass(frozen=True, slots=True)
class Life:
    """What has become of a launch."""

    launch: str
    mark: Mark | None = None
    restarts: int = 0
    exit: int | None = None
    """Exit status, or minus the number of the signal that ended it; None while it runs, or if nobody saw the end."""
    gave_up: bool = False
    """It crashed too often; only another launch brings it back."""
    waits_for_secrets: bool = False
    """Their values are gone with the memory of the host; only another launch brings it back."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one component of one site."""

    root: Path

    @property
    def work_lock(self) -> Path:
        """Held by the one deployer that changes this component."""
        return self.root / "work.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held by the keeper."""
        return self.root / "keeper.lock"

    @property
    def alive_lock(self) -> Path:
        """Held by the component itself, handed down at its start: two can never run at once."""
        return self.root / "alive.lock"

    @property
    def log(self) -> Path:
        return self.root / "component.log"

    @property
    def data(self) -> Path:
        """The site's own files; no update touches them."""
        return self.root / "data"

    def launch(self) -> Launch | None:
        """What shall run here; None if nothing was ever launched."""
        found = read_json(self.root / "launch.json")
        words = {"argv": tuple(found["argv"]), "secrets": tuple(found.get("secrets", ()))} if found else {}
        return Launch(**{**found, **words}) if found else None

    def write_launch(self, launch: Launch) -> None:
        write_json(self.root / "launch.json", _told(asdict(launch), "secrets"))

    def life(self) -> Life | None:
        """What runs or ran here last."""
        found = read_json(self.root / "life.json")
        return Life(**{**found, "mark": Mark(**found["mark"]) if found["mark"] else None}) if found else None

    def write_life(self, life: Life) -> None:
        write_json(self.root / "life.json", _told(asdict(life), "waits_for_secrets"))

    def keeper(self) -> Mark | None:
        """The keeper that came last, alive or not."""
        found = read_json(self.root / "keeper.json")
        return Mark(**found) if found else None

    def write_keeper(self, mark: Mark) -> None:
        write_json(self.root / "keeper.json", asdict(mark))

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0


def _told(state: dict[str, Any], new: str) -> dict[str, Any]:
    """Without what most have none of: a version of before, which does not know it, reads on."""
    return state if state[new] else {name: value for name, value in state.items() if name != new}


def read_json(path: Path) -> dict[str, Any]:
    """The object in a state file; empty if there is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return found


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a state file, whole or not at all, also when the power fails."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
