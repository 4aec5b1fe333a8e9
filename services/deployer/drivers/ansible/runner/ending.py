"""Ending what a run has left on this machine: workers, ssh connections, its agent, whoever their parents are now."""

from __future__ import annotations

import os
from contextlib import suppress

import psutil

from services.deployer.drivers.ansible.runner.folder import short_name
from services.deployer.drivers.ansible.runner.ways import MARK


def processes_of(run: str) -> list[psutil.Process]:
    """Every process of a run, but for the one that asks: those that have its mark among their variables.

    An ssh that keeps a connection writes its title over its variables; it names the run's folder instead.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and (process.environ().get(MARK) == run or _keeps_connection(process, run)):
                found.append(process)
    return found


def _keeps_connection(process: psutil.Process, run: str) -> bool:
    return process.name() == "ssh" and any(short_name(run) in word for word in process.cmdline())


def end_processes(run: str, *, all_of_them: bool = True) -> None:
    """Kill them until none is left; else only Ansible's helpers, and modules that it waits for no longer: what a task
    began on this machine may be meant to last.
    """
    while found := [each for each in processes_of(run) if all_of_them or _is_helper(each) or _is_given_up(each)]:
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=5)


def _is_given_up(process: psutil.Process) -> bool:
    """Whether it is a module, or of one, of a task that Ansible gave up (`task_timeout_seconds`): it would go on beside
    the way back. One that was begun to last (`async`) is not."""
    with suppress(psutil.Error):
        lines = [" ".join(each.cmdline()) for each in (process, *process.parents())]
        return any(MODULE in line for line in lines) and not any(BEGUN_TO_LAST in line for line in lines)
    return False


MODULE, BEGUN_TO_LAST = "/AnsiballZ_", "async_wrapper"
HELPERS = ("ssh", "ssh-agent", "sftp")


def _is_helper(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.name() in HELPERS
    return False
