"""Sites a second against libraries that keep durable steps in PostgreSQL; peers/README.md says how fair it is."""

import asyncio
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tests.bench import costs
from tests.bench.bench import Bench
from tests.bench.peer_venvs import PEERS, python_of
from tests.bench.result import Result
from tests.bench.rig import Rig, console
from tests.bench.roll_out import Wanted, roll_out
from tests.bench.summary import Line

SITES = 1_000
"""Of one run of a peer: long enough for a steady rate, short enough for several rounds."""

FLEET = Wanted(10_000)
PROCESSES = 2
GOAL = 15.0
RECORDED = {
    "dbos": "select count(*) from dbos.operation_outputs join dbos.workflow_status using (workflow_uuid) "
    "where status = 'SUCCESS'",
    "procrastinate": "select count(*) from procrastinate_jobs where status = 'succeeded'",
}
"""How many steps each has recorded at the end: four for each site."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Sites a second, and microseconds of CPU for each, the database included."""

    rate: float
    us: float


def peers(bench: Bench) -> Result:
    """Rounds of Belay, one peer, Belay, the other peer, all on the same PostgreSQL."""
    rig, pythons = bench.rig(), {peer: python_of(peer) for peer in RECORDED}
    paces: dict[str, list[Pace]] = {"belay": [], **{peer: [] for peer in pythons}}
    for _ in range(bench.runs):
        ours = []
        for peer, python in pythons.items():
            roll_out(rig, FLEET)  # does not count: Kafka was just started, and its code is not compiled yet
            ours.append(_belay(rig))
            with rig.stopped():
                paces[peer].append(_peer(rig, peer, python))
            console.print(f"[dim]Belay {ours[-1].rate:,.0f}, {peer} {paces[peer][-1].rate:,.0f} sites/s[/]")
        paces["belay"].append(Pace(*(statistics.median(column) for column in zip(*map(_columns, ours), strict=True))))
    return Result(tuple(_lines(paces)))


def _columns(pace: Pace) -> tuple[float, float]:
    return pace.rate, pace.us


def _belay(rig: Rig) -> Pace:
    run = roll_out(rig, FLEET)
    return Pace(run.rate, run.cost.cpu_total)


def _lines(paces: dict[str, list[Pace]]) -> Iterator[Line]:
    rounds = list(zip(*paces.values(), strict=True))
    times = tuple(ours.rate / max(peer.rate for peer in others) for ours, *others in rounds)
    yield Line("Belay against the better peer", "times", times, GOAL, "more")
    for name, those in paces.items():
        yield Line(f"{name}: rate", "sites/s", tuple(pace.rate for pace in those), better="more")
        yield Line(f"{name}: CPU", "µs/site", tuple(pace.us for pace in those))


# -- a run of a peer ----------------------------------------------------------------------------------------------


def _peer(rig: Rig, peer: str, python: Path) -> Pace:
    """One run, on a database made for it."""
    database = f"bench_{peer}"
    dsn = urlsplit(rig.admin)._replace(path=f"/{database}").geturl()
    asyncio.run(_execute(rig.admin, f"drop database if exists {database} with (force)", f"create database {database}"))
    program = (str(python), str(PEERS / peer / "program.py"))
    subprocess.run((*program, "prepare", dsn, "0", str(SITES)), check=True)
    share = SITES // PROCESSES
    with ExitStack() as stack:
        starts = [(*program, "work", dsn, str(number * share), str(share)) for number in range(PROCESSES)]
        workers = [stack.enter_context(_worker(start)) for start in starts]
        pace = _race(rig, workers)
    _check(peer, asyncio.run(_fetch(dsn, RECORDED[peer])))
    asyncio.run(_execute(rig.admin, f"drop database {database} with (force)"))
    return pace


@contextmanager
def _worker(program: tuple[str, ...]) -> Iterator["subprocess.Popen[str]"]:
    """A process of a peer that could begin."""
    worker = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        _await(worker, "ready")
        yield worker
    finally:
        worker.communicate(timeout=60)


def _race(rig: Rig, workers: list["subprocess.Popen[str]"]) -> Pace:
    """Let all begin, wait until all are done."""
    watched = {str(worker.pid): worker.pid for worker in workers}
    before = costs.read(rig.home, watched)
    began = time.monotonic()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        _await(worker, "done")
    seconds = time.monotonic() - began
    return Pace(SITES / seconds, costs.between(before, costs.read(rig.home, watched), {}, SITES).cpu_total)


def _await(worker: "subprocess.Popen[str]", word: str) -> None:
    assert worker.stdout is not None
    if (line := worker.stdout.readline().strip()) != word:
        raise RuntimeError(f"a peer's process said {line!r} instead of {word!r}; status {worker.poll()}")


def _check(peer: str, recorded: int) -> None:
    if recorded != 4 * SITES:
        raise RuntimeError(f"{peer} recorded {recorded} steps of {SITES} sites instead of {4 * SITES}")


async def _execute(dsn: str, *statements: str) -> None:
    conn = await asyncpg.connect(dsn)
    for statement in statements:
        await conn.execute(statement)
    await conn.close()


async def _fetch(dsn: str, query: str) -> int:
    conn = await asyncpg.connect(dsn)
    try:
        return int(await conn.fetchval(query))
    finally:
        await conn.close()
