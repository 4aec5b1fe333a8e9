"""`python -m tests.support.reaper MARK`: ends what a test run leaves running, however the run itself ended.

It outlives the run, in a session of its own, and reads from a pipe that only the run holds: folders of the run, one a
line. The end of the pipe is the end of the run, be it by its last test, Ctrl-C, SIGKILL or a closed terminal. Whatever
then still has the mark in its environment, or a folder of the run in its command line, is ended, in seconds.
"""

import os
import signal
import sys
import time
from collections.abc import Collection

import psutil

VARIABLE = "BELAY_TEST_RUN"
POLITE_SECONDS = 4.0
"""For what stops in order; Kafka takes longer, and nobody needs its data."""
LONGEST_SECONDS = 30.0


def found(mark: str, folders: Collection[str]) -> list[psutil.Process]:
    """Processes of the run, parents first: a supervisor must not start its children anew."""
    ours = [
        process for process in psutil.process_iter() if process.pid != os.getpid() and is_of(process, mark, folders)
    ]
    return sorted(ours, key=lambda process: process.create_time())


def is_of(process: psutil.Process, mark: str, folders: Collection[str]) -> bool:
    """Whether the run started it. Applications on sites have a clean environment, but lie in a folder of the run."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if mark in process.environ().get(VARIABLE, ""):
            return True
        command = " ".join(process.cmdline())
        return any(folder in command for folder in folders)
    except psutil.Error:
        return False


def end_all(mark: str, folders: Collection[str]) -> list[str]:
    """End them; their names."""
    named: dict[int, str] = {}
    begun = time.monotonic()
    while (ours := found(mark, folders)) and time.monotonic() - begun < LONGEST_SECONDS:
        polite = time.monotonic() - begun < POLITE_SECONDS
        for process in ours:
            if process.pid not in named or not polite:
                named[process.pid] = tell(process, polite=polite)
        time.sleep(0.2)
    return [name for name in named.values() if name]


def tell(process: psutil.Process, *, polite: bool) -> str:
    """Send the signal that fits; its name, empty if it was gone already."""
    try:
        name = process.name()
        # To PostgreSQL SIGTERM means to wait for its clients; after SIGQUIT it leaves no shared memory behind.
        gently = signal.SIGQUIT if name == "postgres" else signal.SIGTERM
        process.send_signal(gently if polite else signal.SIGKILL)
    except psutil.Error:
        return ""
    return name


def main(mark: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folders = {line.strip() for line in sys.stdin} - {""}
    if ended := end_all(mark, folders):
        sys.stderr.write(f"left running by the test run, ended now: {', '.join(ended)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
