"""Starting and stopping the component of a site, so that it never runs twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.locks import try_lock
from services.deployer.drivers.process.keeper.folder import Folder, Launch
from services.deployer.drivers.process.keeper.mark import Mark

LOOK_SECONDS = 0.05
KILL_SECONDS = 10.0
"""From SIGKILL until we say that it cannot be stopped (it may hang in the kernel)."""


async def launch(folder: Folder, what: Launch) -> Launch:
    """Have it run from now on, with its log beginning here. Nothing may run here at the call. Raises Failed."""
    begun = replace(what, log_from=folder.log_size())
    folder.write_launch(begun)
    await start_keeper(folder)
    return begun


async def start_keeper(folder: Folder) -> None:
    """See to it that the component has a keeper; does nothing if it has one. Raises Failed."""
    if (keeper := folder.keeper()) and keeper.alive():
        return
    with (folder.root / "keeper.log").open("ab") as log:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "services.deployer.drivers.process.keeper", str(folder.root),
            env={name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            cwd=folder.root, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    if status := await running.wait():
        raise Failed("no_keeper", f"its keeper ended with status {status}; see {folder.root / 'keeper.log'}")


async def stop(folder: Folder) -> None:
    """Stop the component and its keeper: SIGTERM to its group, SIGKILL after its stop_seconds. Raises Failed.

    Afterwards nothing runs and nothing will: who would start it holds the lock `alive` and reads the launch
    again under it.
    """
    last = folder.launch()
    if last is None:
        return
    folder.write_launch(replace(last, wanted=False))
    await _kill_keeper(folder)
    kill_at = time.monotonic() + last.stop_seconds
    told: Mark | None = None
    while not await asyncio.to_thread(_nothing_lives, folder):
        if time.monotonic() > kill_at + KILL_SECONDS:
            raise Failed("not_stopped", f"its processes {_group(folder)} cannot be stopped, not even by SIGKILL")
        told = _tell(folder, told, kill=time.monotonic() > kill_at)
        await asyncio.sleep(LOOK_SECONDS)


async def _kill_keeper(folder: Folder) -> None:
    keeper = folder.keeper()
    while keeper and keeper.alive():
        with suppress(ProcessLookupError):
            os.kill(keeper.pid, signal.SIGKILL)
        await asyncio.sleep(LOOK_SECONDS / 5)


def _nothing_lives(folder: Folder) -> bool:
    lock = try_lock(folder.alive_lock)
    if lock is None:
        return False
    os.close(lock)
    return not _group(folder)


def _group(folder: Folder) -> list[int]:
    life = folder.life()
    return life.mark.group() if life and life.mark else []


def _tell(folder: Folder, told: Mark | None, *, kill: bool) -> Mark | None:
    """Signal whom we know of by now. A component begun an instant ago may put its name down only between two looks."""
    life = folder.life()
    if life is None or life.mark is None:
        return told
    if kill:
        life.mark.signal(signal.SIGKILL)
    elif life.mark != told:
        life.mark.signal(signal.SIGTERM)
    return life.mark
