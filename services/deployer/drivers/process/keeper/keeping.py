"""What a keeper does: start what is wanted, wait for its end, start it again with growing pauses."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace

from services.deployer.drivers.locks import try_lock
from services.deployer.drivers.process.keeper import memory
from services.deployer.drivers.process.keeper.folder import LOG_BYTES, Folder, Launch, Life
from services.deployer.drivers.process.keeper.mark import Mark

LOOK_SECONDS = 0.2
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
"""A component that ran for so long has earned a fresh count of restarts."""
NOT_STARTED = 127
"""The exit status of a program that could not be started, as shells have it."""


def keep(folder: Folder) -> None:
    """Stay until nothing is wanted any more, or what is wanted cannot be kept alive."""
    while (life := _next_life(folder)) is not None:
        _live(folder, life)


def _next_life(folder: Folder) -> Life | None:
    """The life to begin, after the pause it needs; None if none shall begin."""
    launch, last = folder.launch(), folder.life()
    if launch is None or not launch.wanted:
        return None
    if last is None or last.launch != launch.id:
        return Life(launch.id)
    if last.exit is None:  # it lives, or its keeper was killed before it began, or nobody saw it end
        return replace(last, mark=None)
    return _restart(folder, launch, last)


def _restart(folder: Folder, launch: Launch, last: Life) -> Life | None:
    if last.gave_up or last.waits_for_secrets or not launch.proven:
        return None
    if last.restarts >= launch.restart_limit:
        folder.write_life(replace(last, gave_up=True))
        return None
    time.sleep(min(launch.restart_seconds * 2**last.restarts, LONGEST_PAUSE))
    return Life(launch.id, restarts=last.restarts + 1)


def _live(folder: Folder, life: Life) -> None:
    """Begin a life and stay until its end."""
    _clear_remnants(folder)
    alive = try_lock(folder.alive_lock)
    if alive is None:  # it lives already, begun by an earlier keeper: look again, until it ends
        _look(folder)
        return
    try:
        launch = folder.launch()  # only now, under the lock, is it sure that nobody stops it at this moment
        child = _start(folder, launch, life, alive) if launch and launch.wanted and launch.id == life.launch else None
    finally:
        os.close(alive)
    if child:
        _watch_child(folder, child)


def _clear_remnants(folder: Folder) -> None:
    """End what is left of the group of a component that died, or it would hold lock and port."""
    if (last := folder.life()) and last.mark and not last.mark.alive():
        last.mark.signal(signal.SIGKILL)


def _start(folder: Folder, launch: Launch, life: Life, alive: int) -> subprocess.Popen[bytes] | None:
    secrets = memory.given(folder.root, launch.order, launch.secrets)
    if secrets is None:
        folder.write_life(replace(life, exit=NOT_STARTED, waits_for_secrets=True))
        return None

    env = launch.env | secrets

    def record() -> None:
        # Before the program begins, by itself: whatever is killed now, it is known who runs.
        folder.write_life(replace(life, mark=Mark.of_this_process()))

    with folder.log.open("ab") as log:
        try:
            return subprocess.Popen(  # noqa: S603
                launch.argv, env=env, cwd=folder.data, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, pass_fds=(alive,), preexec_fn=record,  # noqa: PLW1509  one thread only
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            log.write(f"cannot start {launch.argv[0]}: {error}\n".encode())
            folder.write_life(replace(life, exit=NOT_STARTED))
            return None


def _watch_child(folder: Folder, child: subprocess.Popen[bytes]) -> None:
    started = time.monotonic()
    while child.poll() is None:
        _look(folder)
    if life := folder.life():
        steady = time.monotonic() - started >= STEADY_SECONDS
        folder.write_life(replace(life, exit=child.returncode, restarts=0 if steady else life.restarts))


def _look(folder: Folder) -> None:
    """Pass the time until the next look; a log grown too long is copied and cut in place.

    In place, because the component appends to the file that it has open.
    """
    if folder.log_size() > LOG_BYTES:
        shutil.copyfile(folder.log, folder.log.with_suffix(".log.1"))
        os.truncate(folder.log, 0)
    time.sleep(LOOK_SECONDS)
