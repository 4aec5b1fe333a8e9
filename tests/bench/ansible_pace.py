"""`pytest tests/bench/ansible_pace.py -s`: seconds, processes and memory of many sites by the ansible driver.

`SITES=300 AT_ONCE=50` sites on this machine, `TOGETHER=1` in shared runs of `FORKS=50`, `SSH=1` by a server each.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.bench.driver_pace import measured
from tests.support.ansible_sites import FILES, Lab, marked, order

SITES, AT_ONCE, FORKS = (
    int(os.environ.get(name, most)) for name, most in (("SITES", 100), ("AT_ONCE", 4), ("FORKS", 10))
)
TOGETHER, SSH = (bool(os.environ.get(name)) for name in ("TOGETHER", "SSH"))


def connections() -> list[psutil.Process]:
    """What ssh keeps for the next task."""
    return [each for each in psutil.process_iter(["cmdline"]) if "[mux]" in " ".join(each.info["cmdline"] or ())]


def helpers() -> list[psutil.Process]:
    return [*marked(), *connections()]


@pytest.fixture
def connect(request: pytest.FixtureRequest, lab: Lab) -> Callable[[int], dict[str, Any]]:
    if not SSH:
        return lambda n: lab.local(f"s{n}")
    servers = request.getfixturevalue("sshd_lab")
    return lambda _: servers.connection(servers.host())


@pytest.fixture
def lab(deployer_database: str, tmp_path: Path) -> Lab:
    return Lab(tmp_path, deployer_database, {"at_once": AT_ONCE, "forks": FORKS})


@pytest.mark.timeout(0)
async def test_pace(lab: Lab, connect: Callable[[int], dict[str, Any]]) -> None:
    made = await lab.bundle(FILES, together=TOGETHER)
    first = [order(f"o{n}", made, await asyncio.to_thread(connect, n), site=f"s{n}") for n in range(SITES)]
    again = [replace(each, key=f"again-{each.key}") for each in first]
    how = f"at once {AT_ONCE}, forks {FORKS}, together {TOGETHER}, ssh {SSH}"
    for words, orders in (("with a change", first), ("with nothing to change", again)):
        await measured(words, lab.driver(), orders, helpers, how)
    await lab.close()
