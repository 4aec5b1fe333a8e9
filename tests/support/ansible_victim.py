"""`python -m tests.support.ansible_victim ORDER HOME DSN POINT WHEN [SITE_BYTES]`: a deployer that dies in mid-order.

It kills itself, as `kill -9` would, right before or after the function that POINT names; `never` leaves it to others.
SITE_BYTES is the pace at which it sends content.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
from pathlib import Path
from typing import Any

from services.deployer.drivers import Order
from services.deployer.drivers.ansible import runs
from services.deployer.drivers.ansible.driver import AnsibleDriver
from services.deployer.drivers.ansible.procedure import Procedure
from services.deployer.drivers.ansible.runner.folder import RunFolder
from services.deployer.drivers.ansible.runs import Runs
from services.deployer.drivers.ansible.settings import AnsibleSettings
from services.deployer.drivers.content import Pace
from services.deployer.drivers.durable.run import Run
from shared.process.settings import Settings
from tests.support.ansible_sites import reach
from tests.support.process_victim import deadly

POINTS: dict[str, tuple[Any, str]] = {
    "write down": (Run, "write_down"),
    "hold": (RunFolder, "hold"),
    "spawn": (runs, "_spawn"),
    "hear": (Procedure, "_hear"),
    "end": (Run, "end"),
    "clear": (Runs, "clear"),
}


def main(order: str, home: str, dsn: str, point: str, when: str, site_bytes: str = "0") -> None:
    if point != "never":
        owner, name = POINTS[point]
        setattr(owner, name, deadly(getattr(owner, name), when))
    made = pickle.loads(Path(order).read_bytes())  # noqa: S301  our own file
    asyncio.run(_reach(made, Path(home), dsn, int(site_bytes)))


async def _reach(order: Order, home: Path, dsn: str, site_bytes: int) -> None:
    settings = AnsibleSettings(grace_seconds=1, unattended_seconds=30)
    driver = AnsibleDriver(Settings(postgres=dsn, home=home), settings, Pace(site_bytes))
    await reach(driver, order)
    await asyncio.sleep(60)  # what follows an end is a point, too


if __name__ == "__main__":
    main(*sys.argv[1:])
