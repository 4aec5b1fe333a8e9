"""What processes cost: CPU to the nanosecond, peak memory, bytes of WAL and of Kafka's log.

PostgreSQL counts as one process with all its backends, those that ended between two readings included.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

from shared.embedded import postgres, stack
from shared.embedded.home import Home

MIB = 2**20
SAMPLE_SECONDS = 0.5
RESET_PEAK = "5"
"""Written to /proc/<pid>/clear_refs: the peak begins anew at what the process has now."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything counted since the start: CPU seconds by process and of the machine, bytes of WAL and of Kafka's log.

    `at` is the moment, in seconds of a clock that never goes back.
    """

    at: float
    cpu: dict[str, float]
    machine: float
    wal: int
    kafka: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Between two readings, for each step: microseconds of CPU by process, bytes; peak memory in bytes by process.

    `others` is how many cores on average were busy with what has nothing to do with the bench; `seconds` is the time
    between the readings.
    """

    cpu_us: dict[str, float]
    peak: dict[str, int]
    wal_bytes: float
    kafka_bytes: float
    others: float
    seconds: float

    @property
    def cpu_total(self) -> float:
        """Microseconds of all processes of the product together, what the bench itself burns left out."""
        return sum(value for name, value in self.cpu_us.items() if name not in OURS_NOT)


OURS_NOT = ("page", "bench")
"""What stands for the browser of a user, and what measures."""


def read(home: Home, others: dict[str, int]) -> Reading:
    """Now. `others` are processes that do not belong to the home, by name and pid."""
    pids = pids_of(home) | others
    cpu = {name: _family_cpu(pid) if name == "postgres" else _cpu(pid) for name, pid in pids.items()}
    wal = asyncio.run(_wal(postgres.admin_dsn(home)))
    return Reading(time.monotonic(), cpu, _machine(), wal, log_bytes(home))


def between(before: Reading, after: Reading, peak: dict[str, int], steps: int) -> Cost:
    """What one step cost."""
    spent = {name: after.cpu[name] - before.cpu[name] for name in before.cpu if name in after.cpu}
    return Cost(
        {name: seconds / steps * 1e6 for name, seconds in spent.items()},
        peak,
        (after.wal - before.wal) / steps,
        (after.kafka - before.kafka) / steps,
        max((after.machine - before.machine - sum(spent.values())) / (after.at - before.at), 0),
        after.at - before.at,
    )


def pids_of(home: Home) -> dict[str, int]:
    """The processes of a home, its supervisor left out."""
    return {one.name: one.pid for one in stack.statuses(home) if one.pid and one.name != "supervisord"}


def _cpu(pid: int) -> float:
    """CPU seconds of all threads, also of ended ones: the clock that clock_getcpuclockid(3) names on Linux."""
    return time.clock_gettime(~pid << 3 | 2)


def _machine() -> float:
    """Seconds that all cores together were busy."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _family_cpu(pid: int) -> float:
    """A process with its children. One that ends while we read would count twice or not at all: then once more."""
    process = psutil.Process(pid)
    while True:
        before = process.cpu_times()
        seconds = _cpu(pid) + sum(_cpu_or_none(child.pid) for child in process.children())
        after = process.cpu_times()
        if before.children_user + before.children_system == after.children_user + after.children_system:
            return seconds + after.children_user + after.children_system


def _cpu_or_none(pid: int) -> float:
    try:
        return _cpu(pid)
    except OSError:
        return 0.0  # it ended: the second look at its parent tells


async def _wal(dsn: str) -> int:
    conn = await asyncpg.connect(dsn)
    try:
        return int(await conn.fetchval("select pg_current_wal_lsn() - '0/0'::pg_lsn"))
    finally:
        await conn.close()


def log_bytes(home: Home) -> int:
    """The size of all segments of all topics."""
    sizes = []
    for path in (home.kafka / "data").glob("*/*.log"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue  # retention or compaction took it meanwhile
    return sum(sizes)


# -- memory -------------------------------------------------------------------------------------------------------


@contextmanager
def peaks(home: Home) -> Iterator[dict[str, int]]:
    """Peak memory in bytes by process while the block runs; the mapping is filled at its end.

    Of one process the kernel keeps the peak (VmHWM). PostgreSQL is sampled: what its processes have for themselves,
    and the memory they share once.
    """
    pids = pids_of(home)
    found: dict[str, int] = {}
    for pid in pids.values():
        _proc(pid, "clear_refs").write_text(RESET_PEAK)
    with _sampled(pids["postgres"]) as family:
        yield found
    found.update({name: _peak(pid) for name, pid in pids.items() if name != "postgres" and psutil.pid_exists(pid)})
    found["postgres"] = max(family)


def _proc(pid: int, name: str) -> Path:
    return Path(f"/proc/{pid}/{name}")


def _peak(pid: int) -> int:
    lines = dict(line.split(":", 1) for line in _proc(pid, "status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


@contextmanager
def _sampled(pid: int) -> Iterator[list[int]]:
    samples, stop = [_family_memory(pid)], threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            samples.append(_family_memory(pid))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def _family_memory(pid: int) -> int:
    """Private memory of each process, and the largest shared part once: they share the same buffers."""
    private, shared = 0, 0
    for process in (psutil.Process(pid), *psutil.Process(pid).children()):
        try:
            memory = process.memory_info()
        except psutil.NoSuchProcess:
            continue
        private += memory.rss - memory.shared
        shared = max(shared, memory.shared)
    return private + shared
