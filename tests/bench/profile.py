"""Where a step's time goes: py-spy on every Python service, pg_stat_statements in PostgreSQL, while steps run.

A function's time is that in which it held the interpreter: without waiting, and without what the event loop does in C
while it does not hold it (sending and receiving). Profiling itself costs speed, so the figure is only told. The sampled
stacks stay in build/profile/ for flame graphs.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.table import Table

from tests.bench import statements
from tests.bench.bench import Bench
from tests.bench.costs import pids_of
from tests.bench.result import Result
from tests.bench.rig import Rig, console
from tests.bench.roll_out import Run, Wanted, roll_out
from tests.bench.stacks import Share, functions, modules, parse
from tests.bench.steps import SITES
from tests.bench.summary import Line

FOLDER = Path("build/profile")
SAMPLES_A_SECOND = 200
TOP = 14


def profile(bench: Bench) -> Result:
    """One strategy with every service watched."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    rig = bench.rig("profiled", settings=statements.SETTINGS)
    wanted = Wanted(bench.sizes[0] if bench.sizes else SITES)
    roll_out(rig, wanted)
    statements.begin(rig)
    with watched(rig):
        run = roll_out(rig, wanted)
    show(run)
    console.print(statements.table(statements.top(rig), wanted.sites))
    line = Line(f"{wanted.sites:,} sites while being profiled", "steps/s", (run.rate,))
    return Result((line,), (run.cost,), (f"sampled stacks are in {FOLDER}",))


@contextmanager
def watched(rig: Rig) -> Iterator[None]:
    """py-spy on each Python service for as long as the block runs."""
    pids = {name: pid for name, pid in pids_of(rig.home).items() if name not in ("kafka", "postgres")}
    with ExitStack() as stack:
        for name, pid in pids.items():
            stack.enter_context(_spy(name, pid))
        time.sleep(1)  # let them attach: a service stands still for a moment meanwhile
        yield


@contextmanager
def _spy(name: str, pid: int) -> Iterator[None]:
    target = FOLDER / f"{name}.raw"
    program = str(Path(sys.executable).with_name("py-spy"))
    asked = (
        "record",
        "--pid",
        str(pid),
        "--format",
        "raw",
        "--gil",
        "--rate",
        str(SAMPLES_A_SECOND),
        "--output",
        str(target),
    )
    with (FOLDER / f"{name}.log").open("w") as log:
        spy = subprocess.Popen((program, *asked), stdout=log, stderr=log)
        try:
            yield
        finally:
            spy.send_signal(signal.SIGINT)
            spy.wait(60)


def show(run: Run) -> None:
    """The tables of each service, the dearest first."""
    for name, us in sorted(run.cost.cpu_us.items(), key=lambda item: -item[1]):
        path = FOLDER / f"{name}.raw"
        if path.exists() and us >= 10:
            samples = parse(path.read_text())
            console.print(shares_table(f"{name}: modules", modules(samples), us))
            console.print(shares_table(f"{name}: functions", functions(samples), us))


def shares_table(title: str, shares: list[Share], us: float) -> Table:
    """Of each, the CPU µs a step in itself and with all that it calls."""
    table = Table("where", "itself, µs/step", "with callees, µs/step", title=title)
    for share in shares[:TOP]:
        table.add_row(share.where, f"{share.itself * us:.1f}", f"{share.inclusive * us:.1f}")
    return table
