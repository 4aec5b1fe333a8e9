"""Processes of a home: how one is started, and how it is recognised and ended later, by whomever."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import psutil

from shared.embedded.home import Home

PR_SET_PDEATHSIG = 1
#: Seconds by which two readings of one process's creation time may differ (the clock may be corrected).
SAME_BIRTH = 2.0


@dataclass(frozen=True, slots=True)
class Account:
    """A system account to run as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Command:
    """A program ready to run. `end_signal` is the one it stops on in good order."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    end_signal: signal.Signals = signal.SIGTERM

    def run(self, timeout: float) -> None:
        """Run to the end; RuntimeError with what it printed if it fails."""
        who = self.account
        done = subprocess.run(  # noqa: S603
            self.argv, cwd=self.cwd, env={**os.environ, **self.env}, timeout=timeout, check=False,
            capture_output=True, text=True,
            user=who.uid if who else None, group=who.gid if who else None, extra_groups=[] if who else None,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{Path(self.argv[0]).name} failed: {(done.stderr or done.stdout).strip()}")

    def replace_this_process(self) -> NoReturn:
        """Become the program: same pid, so what was recorded about this process stays true."""
        os.chdir(self.cwd)
        if self.account:
            os.setgroups([])
            os.setgid(self.account.gid)
            os.setuid(self.account.uid)
        _end_with_parent(self.end_signal)
        os.execve(self.argv[0], self.argv, {**os.environ, **self.env})  # noqa: S606


def _end_with_parent(number: signal.Signals) -> None:
    """Ask Linux to signal us when the parent dies, or SIGKILL of a supervisor would leave all behind.

    After a change of account, which clears the wish. Elsewhere the next start cleans up.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def record(home: Home, name: str, pid: int | None = None) -> None:
    """Keep pid and creation time of a process (this one by default): together they name it for ever."""
    process = psutil.Process(pid)
    home.write_json(f"run/{name}.pid", {"pid": process.pid, "born_ms": int(process.create_time() * 1000)})


def recorded(home: Home) -> dict[str, psutil.Process]:
    """The recorded processes that still run, by name."""
    names = sorted(path.stem for path in home.run.glob("*.pid"))
    found = {name: _find(home, name) for name in names}
    return {name: process for name, process in found.items() if process}


def _find(home: Home, name: str) -> psutil.Process | None:
    mark = home.read_json(f"run/{name}.pid")
    try:
        process = psutil.Process(mark.get("pid", 0))
        same = abs(process.create_time() - mark.get("born_ms", 0) / 1000) < SAME_BIRTH
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def end(process: psutil.Process, number: signal.Signals | None, seconds: float) -> None:
    """Signal a process (None: it was asked otherwise), wait for its end, and kill it after that time.

    It alone, never its children: the applications that a deployer started outlive it.
    """
    try:
        if number:
            process.send_signal(number)
        process.wait(seconds)
    except psutil.TimeoutExpired:
        _kill(process)
    except psutil.NoSuchProcess:
        return


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
        process.wait(5)
    except psutil.NoSuchProcess:
        return
