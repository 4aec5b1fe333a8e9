"""`SITES=300 AT_ONCE=50 pytest tests/bench/helm_pace.py -s`: many sites of one API server by the helm driver.

An installation, an upgrade, and orders that change nothing, each behind its fetch. `PROCESSES=4`: most helms at once.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.bench.driver_pace import measured
from tests.support.kubernetes import sites, victim
from tests.support.kubernetes.lab import Lab

SITES, AT_ONCE, PROCESSES = (
    int(os.environ.get(name, most)) for name, most in (("SITES", 60), ("AT_ONCE", 50), ("PROCESSES", 4))
)


@pytest.mark.timeout(0)
async def test_pace(kubernetes: Lab, deployer_database: str, tmp_path: Path) -> None:
    driver = sites.driver(kubernetes, deployer_database, tmp_path, at_once=AT_ONCE, processes=PROCESSES)
    prefix, how = kubernetes.namespace(), f"at once {AT_ONCE}, helms {PROCESSES}"
    for words, version in (("installed", "1.0"), ("upgraded", "2.0"), ("with nothing to change", "2.0")):
        orders = [
            sites.order(kubernetes, f"{words}-{n}", version, f"{prefix}-{n}-", site=f"s{n}", rollout={"seconds": 600})
            for n in range(SITES)
        ]
        fetches = [replace(order, key=f"before-{order.key}", action="fetch", deploys=True) for order in orders]
        await measured(f"fetched before: {words}", driver, fetches, partial(victim.helms, kubernetes), how)
        await measured(words, driver, orders, partial(victim.helms, kubernetes), how)
    await driver.close()
