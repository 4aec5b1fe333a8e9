"""Devices that take their time: how close the sliding pool comes to the ideal schedule."""

from tests.bench.bench import Bench
from tests.bench.journal import marks, spans
from tests.bench.result import Result
from tests.bench.rig import Rig, console
from tests.bench.roll_out import Run, Wanted, roll_out
from tests.bench.schedule import ideal
from tests.bench.summary import Line

WANTED = Wanted(10_000, parallel=2_000, seconds=(20, 40))
GOAL = 3.0
RUNS = 1
"""A run takes two and a half minutes, of which chance decides little: each has 10,000 draws."""


def slow(bench: Bench) -> Result:
    """Per cent over the ideal schedule of the very durations that the devices drew."""
    rig = bench.rig()
    found = [_run(rig) for _ in range(min(bench.runs, RUNS))]
    over = tuple(100 * (run.took / best - 1) for run, best in found)
    lines = (
        Line("10,000 sites, 30 s ± 10 s each, 2,000 in parallel, over the ideal", "%", over, GOAL),
        Line("start to finished", "s", tuple(run.took for run, _ in found)),
        Line("ideal", "s", tuple(best for _, best in found)),
    )
    note = f"{len(found)} run: it takes {found[0][0].took:.0f} s, and its 10,000 draws leave little to chance"
    return Result(lines, tuple(run.cost for run, _ in found), (note,))


def _run(rig: Rig) -> tuple[Run, float]:
    mark = marks(rig)
    run = roll_out(rig, WANTED)
    best = ideal([span.needs for span in spans(rig, mark)], WANTED.parallel)
    console.print(f"[dim]{run.took:.1f} s, ideal {best:.1f} s[/]")
    return run, best
