"""`python -m tests.support.process_victim ORDER BUNDLES HOME POINT WHEN`: a deployer that dies in mid-order.

It kills itself, as `kill -9` would, right before or after the function that POINT names.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.deployer.drivers import Order, process_host, process_order, process_release, process_run
from services.deployer.drivers.process import ProcessDriver
from services.deployer.drivers.process_journal import Journal
from services.deployer.keeper.folder import Folder
from tests.support.process_sites import Bundles, reach

POINTS: dict[str, tuple[Any, str]] = {
    "begin": (Journal, "begin"),
    "record": (process_release, "record"),
    "unpack": (Bundles, "unpack"),
    "environment": (process_host, "_environment"),
    "install": (process_order, "install"),
    "kill keeper": (process_run, "_kill_keeper"),
    "stop": (process_run, "stop"),
    "switch": (process_release, "switch"),
    "write launch": (Folder, "write_launch"),
    "start keeper": (process_run, "start_keeper"),
    "prove": (process_order, "prove"),
    "take away": (process_order, "_take_away"),
    "finish": (Journal, "finish"),
}


def deadly(function: Callable[..., Any], when: str) -> Callable[..., Any]:
    """The function, with our death before or after it."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def waited(*args: Any, **more: Any) -> None:
        await function(*args, **more)
        die()

    def called(*args: Any, **more: Any) -> Any:
        if when == "before":
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
    await reach(ProcessDriver(home, bundles.unpack), order)


if __name__ == "__main__":
    main(*sys.argv[1:])
