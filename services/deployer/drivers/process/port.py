"""Who listens on a port: our component, or a stranger that would answer in its name."""

from __future__ import annotations

from typing import Any

import psutil

from services.deployer.drivers.process.keeper.mark import Mark
from shared.embedded.ports import is_free


def listens(mark: Mark, port: int) -> bool:
    """Whether a process of its group, or a descendant, listens there; True also if the system does not tell."""
    try:
        return any(_listens(pid, port) for pid in _family(mark))
    except psutil.AccessDenied:
        return True


def stranger(mark: Mark | None, port: int) -> str | None:
    """Who holds the port although it is not our component; None if it is free or ours."""
    if is_free(port) or (mark and listens(mark, port)):
        return None
    return _name_of_holder(port)


def _family(mark: Mark) -> set[int]:
    group = mark.group()
    try:
        return {*group, *(child.pid for child in psutil.Process(mark.pid).children(recursive=True))}
    except psutil.NoSuchProcess:
        return set(group)


def _listens(pid: int, port: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return False
    return any(_is_on(one, port) for one in connections)


def _name_of_holder(port: int) -> str:
    try:
        pids = [one.pid for one in psutil.net_connections("tcp") if _is_on(one, port) and one.pid]
        return f"process {pids[0]} ({psutil.Process(pids[0]).name()})" if pids else "a process that we may not see"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return "a process that we may not see"


def _is_on(connection: Any, port: int) -> bool:
    return bool(connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port)
