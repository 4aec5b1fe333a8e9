"""`python -m services.deployer.drivers.process.keeper FOLDER`: become the keeper of a component, in the background.

Returns as soon as the keeper is at work, or at once if the component has one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil

from services.deployer.drivers.locks import lock_within
from services.deployer.drivers.process.keeper.folder import Folder
from services.deployer.drivers.process.keeper.keeping import keep
from services.deployer.drivers.process.keeper.mark import Mark

LEAVING_SECONDS = 2.0
"""A keeper on its way out lets go of its lock within so long."""


def main(root: str) -> None:
    folder = Folder(Path(root))
    if lock_within(folder.keeper_lock, LEAVING_SECONDS) is None:
        return
    if pid := os.fork():
        folder.write_keeper(Mark(pid, psutil.Process(pid).create_time()))
        os._exit(0)
    os.setsid()
    keep(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
