"""The folder in which one Belay on one machine keeps everything it writes."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below one home. Several homes on one machine share nothing but, at will, the jar cache."""

    root: Path
    jars: Path

    @classmethod
    def open(cls, root: Path | str | None = None, jars: Path | str | None = None) -> Home:
        """Make the folders of a home and return it.

        `root` falls back to BELAY_HOME, then to `.belay` in the working folder; `jars` to BELAY_JARS,
        then to `<root>/jars`. Raises OSError if a folder cannot be made.
        """
        base = Path(root or os.environ.get("BELAY_HOME") or ".belay").expanduser().resolve()
        cache = Path(jars or os.environ.get("BELAY_JARS") or base / "jars").expanduser().resolve()
        home = cls(base, cache)
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (home.run, home.logs, home.secrets, home.kafka):
            folder.mkdir(mode=0o700, exist_ok=True)
        return home

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    def secret(self, name: str) -> str:
        """The generated secret of that name, made at the first call and kept with mode 0600."""
        path = self.secrets / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text()

    def read_json(self, name: str) -> dict[str, int]:
        """A small state file of the home; a missing or half-written one counts as empty."""
        try:
            found = json.loads((self.root / name).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_json(self, name: str, value: dict[str, int]) -> None:
        write_private(self.root / name, json.dumps(value, indent=1))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
