"""`pytest tests/bench/ansible_pace.py -s`: seconds, processes and memory of many sites by the ansible driver.

`SITES=300 AT_ONCE=50` sites on this machine, `TOGETHER=1` in shared runs of `FORKS=50`, `SSH=1` by a server each.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import pytest

from services.deployer.drivers import Done, Order
from tests.support.ansible_sites import FILES, Lab, marked, order, reach

SITES, AT_ONCE, FORKS = (
    int(os.environ.get(name, most)) for name, most in (("SITES", 100), ("AT_ONCE", 4), ("FORKS", 10))
)
TOGETHER, SSH = (bool(os.environ.get(name)) for name in ("TOGETHER", "SSH"))


@dataclass
class Load:
    """The most of everything that runs had at a time."""

    processes: int = 0
    megabytes: float = 0.0
    """What would be free without them: their proportional share (PSS)."""

    def look(self) -> None:
        found = [*marked(), *connections()]
        shares = 0
        for process in found:
            with suppress(psutil.Error):
                shares += process.memory_full_info().pss
        self.processes = max(self.processes, len(found))
        self.megabytes = max(self.megabytes, shares / 2**20)


def connections() -> list[psutil.Process]:
    """What ssh keeps for the next task."""
    return [each for each in psutil.process_iter(["cmdline"]) if "[mux]" in " ".join(each.info["cmdline"] or ())]


@contextmanager
def watched() -> Iterator[Load]:
    """Looked at once a second."""
    load, over = Load(), Event()

    def look() -> None:
        while not over.wait(1):
            load.look()

    thread = Thread(target=look)
    thread.start()
    yield load
    over.set()
    thread.join()


@pytest.fixture
def connect(request: pytest.FixtureRequest, lab: Lab) -> Callable[[int], dict[str, Any]]:
    if not SSH:
        return lambda n: lab.local(f"s{n}")
    servers = request.getfixturevalue("sshd_lab")
    return lambda _: servers.connection(servers.host())


@pytest.fixture
def lab(deployer_database: str, tmp_path: Path) -> Lab:
    return Lab(tmp_path, deployer_database, {"at_once": AT_ONCE, "forks": FORKS})


async def test_pace(lab: Lab, connect: Callable[[int], dict[str, Any]]) -> None:
    made = await lab.bundle(FILES, together=TOGETHER)
    first = [order(f"o{n}", made, await asyncio.to_thread(connect, n), site=f"s{n}") for n in range(SITES)]
    again = [replace(each, key=f"again-{each.key}") for each in first]
    for words, orders in (("with a change", first), ("with nothing to change", again)):
        await measured(words, lab, orders)
    await lab.close()


async def measured(words: str, lab: Lab, orders: list[Order]) -> None:
    begun = time.monotonic()
    with watched() as load:
        found = await reach(lab.driver(), *orders, seconds=3600)
    seconds = time.monotonic() - begun
    done = sum(isinstance(each, Done) for each in found)
    sys.stdout.write(
        f"\n{words}: {done} of {len(orders)} done in {seconds:.0f} s, {seconds / len(orders):.2f} s a site, "
        f"{load.processes} processes, {load.megabytes:.0f} MB at most (at once {AT_ONCE}, forks {FORKS}, "
        f"together {TOGETHER}, ssh {SSH}; load {os.getloadavg()[0]:.0f})\n"
    )
    assert done == len(orders), next(each for each in found if not isinstance(each, Done))
