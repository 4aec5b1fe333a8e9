"""`python -m tests.support.process_victim ORDER BUNDLES HOME POINT WHEN`: a deployer that dies in mid-order.

It kills itself, as `kill -9` would, right before or after the function that POINT names; `after 3`: the third time.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from obstore.store import LocalStore

from services.deployer.drivers import Order
from services.deployer.drivers.content import FolderSink, Pace, Source
from services.deployer.drivers.process import host, procedure, release, run
from services.deployer.drivers.process.driver import ProcessDriver
from services.deployer.drivers.process.keeper.folder import Folder
from services.deployer.drivers.process.order_file import OrderFile
from shared.blobs import Blobs
from tests.support.process_sites import Bundles, reach

POINTS: dict[str, tuple[Any, str]] = {
    "begin": (OrderFile, "begin"),
    "record": (release, "record"),
    "unpack": (Bundles, "unpack"),
    "environment": (host, "_environment"),
    "install": (procedure, "install"),
    "kill keeper": (run, "_kill_keeper"),
    "stop": (run, "stop"),
    "switch": (release, "switch"),
    "write launch": (Folder, "write_launch"),
    "start keeper": (run, "start_keeper"),
    "prove": (procedure, "prove"),
    "take away": (procedure, "_take_away"),
    "finish": (OrderFile, "finish"),
    "chunk": (FolderSink, "_append"),
    "whole item": (FolderSink, "_finish"),
}


def deadly(function: Callable[..., Any], when: str) -> Callable[..., Any]:
    """The function, with our death before or after it."""

    side, _, nth = when.partition(" ")
    calls = count(1)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def waited(*args: Any, **more: Any) -> None:
        await function(*args, **more)
        die()

    def called(*args: Any, **more: Any) -> Any:
        if next(calls) < int(nth or 1):
            return function(*args, **more)
        if side == "before":
            die()
        if inspect.iscoroutinefunction(function):
            return waited(*args, **more)
        function(*args, **more)
        return die()

    return called


def main(order: str, bundles: str, home: str, point: str, when: str) -> None:
    owner, name = POINTS[point]
    setattr(owner, name, deadly(getattr(owner, name), when))
    made = pickle.loads(Path(order).read_bytes())  # noqa: S301  our own file
    asyncio.run(_reach(made, Bundles(Path(bundles), []), Path(home)))


async def _reach(order: Order, bundles: Bundles, home: Path) -> None:
    await reach(ProcessDriver(home, bundles.unpack, source=source_beside(home)), order)


def source_beside(home: Path) -> Source:
    """The blob store of the tests: the folder `blobs` beside the home."""
    folder = home.parent / "blobs"
    return Source(Blobs(LocalStore(folder, mkdir=True), folder), Pace())


if __name__ == "__main__":
    main(*sys.argv[1:])
