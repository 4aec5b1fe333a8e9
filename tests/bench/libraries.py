"""A run of a library that keeps durable steps in PostgreSQL, on the server of the rig."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import asyncpg

from tests.bench.pace import Pace, timed
from tests.bench.peer_environments import PEERS, python_of
from tests.bench.rig import Rig

SITES = 1_000
"""Of one run: long enough for a steady rate, short enough for several rounds."""

PROCESSES = 2
RECORDED = {
    "dbos": "select count(*) from dbos.operation_outputs join dbos.workflow_status using (workflow_uuid) "
    "where status = 'SUCCESS'",
    "procrastinate": "select count(*) from procrastinate_jobs where status = 'succeeded'",
}
"""How many steps each has recorded at the end: four for each site."""


def lacks(peer: str) -> None:
    """Make its environment: it needs nothing but Python, so it lacks nothing."""
    python_of(peer)


def run(rig: Rig, peer: str) -> Pace:
    """One run, on a database made for it. Raises RuntimeError unless every step was recorded."""
    database = f"bench_{peer}"
    dsn = urlsplit(rig.admin)._replace(path=f"/{database}").geturl()
    asyncio.run(_execute(rig.admin, f"drop database if exists {database} with (force)", f"create database {database}"))
    program = (str(python_of(peer)), str(PEERS / peer / "program.py"))
    subprocess.run((*program, "prepare", dsn, "0", str(SITES)), check=True)
    share = SITES // PROCESSES
    with ExitStack() as stack:
        starts = [(*program, "work", dsn, str(number * share), str(share)) for number in range(PROCESSES)]
        workers = [stack.enter_context(_worker(start)) for start in starts]
        pace = timed(rig, [worker.pid for worker in workers], SITES, lambda: _work(workers))
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


def _work(workers: list["subprocess.Popen[str]"]) -> None:
    """Let all begin, wait until all are done."""
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        _await(worker, "done")


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
