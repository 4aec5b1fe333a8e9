"""What it costs to know of a hundred thousand sites, each minute, whether they answer."""

import asyncio
import time

import asyncpg

from tests.bench.bench import Bench
from tests.bench.result import Result
from tests.bench.rig import Rig, console, wait
from tests.bench.roll_out import register
from tests.bench.summary import Line

SITES = 100_000
SWEEP_SECONDS = 60.0
"""As `BELAY_DEPLOYER_CHECK_SECONDS` is by default."""

ROWS = """
    select relname, n_tup_ins + n_tup_upd + n_tup_del as rows from pg_stat_user_tables
    where schemaname = 'deployer' and relname in ('availability', 'check_bucket')
"""
ALL_ONLINE = 600.0
CPU_GOAL, ROWS_GOAL = 6.0, 100.0
"""Of a minute of one core a tenth."""


def checks(bench: Bench) -> Result:
    """CPU of the deployer and of PostgreSQL in a minute of rest, and rows written: all sites are asked in it."""
    rig = bench.rig("fleet")
    register(rig, SITES)
    rig.settle()
    began = time.monotonic()
    wait(lambda: not rig.client.get("/v1/sites", availability="unknown", limit=1)["items"], ALL_ONLINE, every=1)
    console.print(f"[dim]all of {SITES:,} sites were asked {time.monotonic() - began:.0f} s after they were known[/]")
    runs = [_sweep(rig) for _ in range(bench.runs)]
    spent = {name: tuple(run[name] for run in runs) for name in runs[0]}
    return Result(
        (
            Line("deployer", "CPU s a sweep", spent["deployer"], CPU_GOAL),
            Line("PostgreSQL, of all services", "CPU s a minute", spent["postgres"], None),
            Line("rows written of sites", "rows a sweep", spent["availability"], ROWS_GOAL),
            Line("rows written of buckets", "rows a sweep", spent["check_bucket"], ROWS_GOAL),
        ),
        notes=(f"{SITES:,} simulated sites, each asked once in {SWEEP_SECONDS:g} s; everything else is at rest",),
    )


def _sweep(rig: Rig) -> dict[str, float]:
    rig.await_quiet()
    before, rows = rig.read(), asyncio.run(_rows(rig.database))
    time.sleep(SWEEP_SECONDS)
    after, then = rig.read(), asyncio.run(_rows(rig.database))
    cpu = {name: sum(after.cpu[p] - before.cpu[p] for p in before.cpu if p.startswith(name)) for name in PROCESSES}
    return cpu | {table: then[table] - rows[table] for table in rows}


PROCESSES = ("deployer", "postgres")


async def _rows(dsn: str) -> dict[str, float]:
    conn = await asyncpg.connect(dsn)
    try:
        return {row["relname"]: float(row["rows"]) for row in await conn.fetch(ROWS)}
    finally:
        await conn.close()
