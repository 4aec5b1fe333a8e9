"""Many orders of one driver at a time: how long they take, and what runs for them meanwhile."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

import psutil

from services.deployer.drivers import Done, Driver, Order, Progress, Running

Helpers = Callable[[], Iterable[psutil.Process]]
"""The processes that work for the driver just now, beside the deployer."""

GIVEN_UP = 3600
LOOK_SECONDS = 1.0


@dataclass
class Load:
    """The most of everything at a time."""

    processes: int = 0
    megabytes: float = 0.0
    """What would be free without the helpers: their proportional share (PSS)."""
    own: float = 0.0
    """The deployer itself; here also the test and its client of the tool."""

    def look(self, helpers: Helpers) -> None:
        found, share = list(helpers()), 0
        for process in found:
            with suppress(psutil.Error):
                share += process.memory_full_info().pss
        self.processes = max(self.processes, len(found))
        self.megabytes = max(self.megabytes, share / 2**20)
        self.own = max(self.own, psutil.Process().memory_info().rss / 2**20)


@contextmanager
def watched(helpers: Helpers) -> Iterator[Load]:
    """The load of the block, looked at once a second."""
    load, over = Load(), Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            load.look(helpers)

    thread = Thread(target=look)
    thread.start()
    try:
        yield load
    finally:
        over.set()
        thread.join()


async def measured(words: str, driver: Driver, orders: Sequence[Order], helpers: Helpers, how: str) -> None:
    """Carry the orders out and print what it took; each must succeed. `how`: the settings, for people."""
    begun, left = time.monotonic(), list(orders)
    ended: list[Progress] = []
    with watched(helpers) as load:
        await driver.start(orders)
        while left and time.monotonic() - begun < GIVEN_UP:
            found = await driver.poll(left)  # of those alone: what is done is looked at anew whenever it is asked for
            ended += [each for each in found if not isinstance(each, Running)]
            left = [order for order, each in zip(left, found, strict=True) if isinstance(each, Running)]
            await driver.wait(1)
    seconds, done = time.monotonic() - begun, sum(isinstance(each, Done) for each in ended)
    sys.stdout.write(
        f"\n{words}: {done} of {len(orders)} done in {seconds:.0f} s, {seconds / len(orders):.2f} s a site; at most "
        f"{load.processes} processes of {load.megabytes:.0f} MB, the deployer {load.own:.0f} MB ({how}; load "
        f"{os.getloadavg()[0]:.0f})\n"
    )
    assert done == len(orders), next(each for each in ended if not isinstance(each, Done))
