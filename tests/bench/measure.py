"""What the processes of a home cost: CPU seconds and memory, from the operating system."""

from dataclasses import dataclass

import psutil

from shared.embedded import stack
from shared.embedded.home import Home

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds since the start and resident memory in bytes; backends of PostgreSQL count with it."""

    cpu: float
    memory: int


def costs(home: Home) -> dict[str, Cost]:
    """By process name, supervisor left out."""
    return {one.name: _cost(one.pid) for one in stack.statuses(home) if one.pid and one.name != "supervisord"}


def _cost(pid: int) -> Cost:
    process = psutil.Process(pid)
    times = process.cpu_times()
    cpu = times.user + times.system + times.children_user + times.children_system
    memory = process.memory_info().rss
    for child in process.children(recursive=True):
        try:
            own = child.cpu_times()
            cpu += own.user + own.system
            memory += child.memory_info().rss - child.memory_info().shared
        except psutil.Error:
            continue  # it ended meanwhile; its time is among its parent's children
    return Cost(cpu, memory)


def per_step(before: dict[str, Cost], after: dict[str, Cost], steps: int) -> dict[str, float]:
    """CPU microseconds each process spent on a step."""
    return {name: (after[name].cpu - before[name].cpu) / steps * 1e6 for name in before if name in after}
