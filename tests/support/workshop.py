"""What the driver contract asks of each driver: drivers that share their sites, and orders of each kind for them.

A driver of a third party brings its own: a class `…Workshop` in `tests/workshop.py` of its folder. Those of the folders
`examples/driver-*` are found, and those that the variable BELAY_DRIVER_FOLDERS names (separated as in PATH).
"""

import os
import sys
from abc import ABC, abstractmethod
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, ClassVar

from services.deployer.drivers import Driver, Item, Order
from tests.support import process_sites

EXAMPLES = Path(__file__).parents[2] / "examples"


class Workshop(ABC):
    """Makes drivers of one kind that share their sites, and orders for them: good, failing, never ending."""

    asks: ClassVar[tuple[str, ...]] = ()
    """Fixtures that it needs beside its folder: `given`, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.given: dict[str, Any] = {}
        self.drivers: list[Any] = []
        """To be closed at the end, if they hold anything."""

    @abstractmethod
    def driver(self) -> Driver:
        """Another driver on the same sites, as another deployer has it."""

    @abstractmethod
    def good(self, key: str, version: str = "1.0", site: str = "s1") -> Order:
        """An order to apply a component, which succeeds."""

    @abstractmethod
    def failing(self, key: str, site: str = "s1") -> Order:
        """An order that ends as `Broken`."""

    @abstractmethod
    def endless(self, key: str, site: str = "s1") -> Order:
        """An order that does not end by itself."""

    @abstractmethod
    def answers(self, site: str) -> str:
        """The release that the thing itself on a site says it is: asked of it, and not of the driver."""

    async def content(self) -> tuple[Item, ...]:
        """What the component of `good` (version 1.0) brings to its site, lying where its driver gets content from; of a
        driver that declares `fetch` and `discard`."""
        return ()

    async def close(self) -> None:
        """End what the drivers left running, if it is of this world."""
        await process_sites.end_all(self.folder / "home")


def foreign_folders() -> list[Path]:
    """The folders of third parties' drivers."""
    named = [Path(name) for name in os.environ.get("BELAY_DRIVER_FOLDERS", "").split(os.pathsep) if name]
    return [*sorted(EXAMPLES.glob("driver-*")), *named]


def foreign_workshops() -> list[type[Workshop]]:
    """Their workshops; the packages beside them can be imported from here on, whether installed or not."""
    found = []
    for folder in foreign_folders():
        sys.path.append(str(folder))
        spec = spec_from_file_location(f"workshop_of_{folder.name}", folder / "tests/workshop.py")
        assert spec
        assert spec.loader
        spec.loader.exec_module(module := module_from_spec(spec))
        found += [kind for name, kind in vars(module).items() if name.endswith("Workshop") and kind is not Workshop]
    return found
