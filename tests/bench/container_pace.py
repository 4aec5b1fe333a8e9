"""`SITES=300 AT_ONCE=50 pytest tests/bench/container_pace.py -s`: many sites of one podman by the container driver.

An installation, an upgrade, and orders that find nothing to change. `PORTS=1`: each with a port of the host, so that
the old container is stopped before the new one starts.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.bench.driver_pace import measured
from tests.support.container_lab import Lab
from tests.support.container_sites import driver_of, order, push
from tests.support.process_sites import free_port

SITES, AT_ONCE = (int(os.environ.get(name, most)) for name, most in (("SITES", 60), ("AT_ONCE", 50)))
PORTS = bool(os.environ.get("PORTS"))


@pytest.mark.timeout(0)
async def test_pace(container_lab: Lab, deployer_database: str, tmp_path: Path) -> None:
    driver = driver_of(deployer_database, tmp_path, at_once=AT_ONCE, unreachable_seconds=600)
    ports: list[dict[str, Any]] = [_port() if PORTS else {} for _ in range(SITES)]
    for version in ("1.0", "2.0"):
        push(container_lab, version)
    for words, version in (("installed", "1.0"), ("upgraded", "2.0"), ("with nothing to change", "2.0")):
        orders = [
            order(container_lab, f"{words}-{n}", version, f"s{n}", health={"start_seconds": 900}, **ports[n])
            for n in range(SITES)
        ]
        await measured(words, driver, orders, partial(helpers, container_lab), f"at once {AT_ONCE}, ports {PORTS}")
    await driver.close()
    container_lab.clear()


def _port() -> dict[str, Any]:
    return {"ports": [{"container": 8080, "host": free_port(), "address": "127.0.0.1"}]}


def helpers(lab: Lab) -> list[psutil.Process]:
    """Podman's own: its service, what watches each container, and what it starts for a moment."""
    seen = psutil.process_iter(["cmdline"])
    return [each for each in seen if f"{lab.root}/" in " ".join(each.info["cmdline"] or ())]
