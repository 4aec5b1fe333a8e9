"""What a driver must bring to be shown and to be attacked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import psutil
import yaml

GOOD = ("1.0.0", "2.0.0")
BROKEN = "3.0.0"


class Hand(ABC):
    """One driver with its lab, until `closing` is closed."""

    driver: ClassVar[str]

    def __init__(self, folder: Path, closing: ExitStack) -> None:
        """Set the lab up; `folder` is its own. Only where `missing` says nothing."""
        self.folder = folder
        self.closing = closing

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """What this machine lacks for it, and how to get it; None = nothing."""

    @property
    def app(self) -> str:
        """What is deployed by it."""
        return f"shop-{self.driver}"

    @property
    def environment(self) -> Mapping[str, str]:
        """What Belay's processes must be told."""
        return {}

    @property
    def secrets(self) -> Mapping[str, str]:
        """What the connections of its sites name."""
        return {}

    def names(self, count: int) -> list[str]:
        """So many sites."""
        return [f"{self.driver}-{number}" for number in range(1, count + 1)]

    def sites(self, count: int) -> list[dict[str, Any]]:
        """As the API takes them."""
        return [{"name": name, "connections": {self.driver: self.connection(name)}} for name in self.names(count)]

    @abstractmethod
    def connection(self, site: str) -> dict[str, Any]:
        """How the driver reaches a site."""

    def release(self, version: str) -> Path:
        """The folder of a release's bundle; BROKEN falls on every site."""
        folder = self.folder / "bundles" / version
        folder.mkdir(parents=True)
        component = {"driver": self.driver, "name": "web", "spec": self.spec(version, folder)}
        manifest = {"app": self.app, "version": version, "components": [component]}
        (folder / "bundle.yaml").write_text(yaml.safe_dump(manifest))
        return folder

    def beside(self, name: str, folder: Path) -> dict[str, Any]:
        """A further component of a release, for which a site of any driver serves: a device that pretends."""
        return {"driver": "simulated", "name": name, "spec": {}}

    @abstractmethod
    def spec(self, version: str, folder: Path) -> dict[str, Any]:
        """The spec of its component; what the bundle holds for it is written to `folder`."""

    @abstractmethod
    def runs(self, site: str) -> str | None:
        """The version that runs on a site, asked of the thing itself; None = nothing does."""

    @abstractmethod
    def doubled(self, operations: Sequence[Mapping[str, Any]]) -> list[str]:
        """What was done more than once on behalf of one operation, as the things themselves remember it."""

    @abstractmethod
    def left_behind(self, home: Path, sites: Sequence[str]) -> list[str]:
        """What no site needs and nobody took away: half-made things, temporary files, processes of the tool."""

    def spoil(self, home: Path, site: str, version: str) -> str | None:
        """Damage what a release left on a site, so that it does not run there again; None where none knows how."""
        return None


def processes_with(word: str) -> list[str]:
    """Processes whose command line names it."""
    found = [process.info for process in psutil.process_iter(["pid", "cmdline"])]
    return [
        f"process {one['pid']}: {' '.join(one['cmdline'])[:200]}" for one in found if word in (one["cmdline"] or ())
    ]
