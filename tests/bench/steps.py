"""How fast steps go: orchestrated steps a second."""

from tests.bench.bench import Bench
from tests.bench.result import Result
from tests.bench.rig import Rig, console
from tests.bench.roll_out import Run, Wanted, roll_out
from tests.bench.summary import Line

SITES = 10_000
GOAL = 5_000.0


def steps(bench: Bench) -> Result:
    """Steps a second at 1,000 in parallel; the goal is for 10,000 sites, other sizes are only told."""
    lines, costs, rig = [], [], bench.rig()
    for size in bench.sizes or (SITES,):
        runs = several(rig, Wanted(size), bench.runs)
        goal = GOAL if size == SITES else None
        lines.append(Line(f"{size:,} sites, 1,000 in parallel", "steps/s", tuple(r.rate for r in runs), goal, "more"))
        costs = [run.cost for run in runs]
    return Result(tuple(lines), tuple(costs))


def stages(bench: Bench) -> Result:
    """Seconds from start to finished, in one stage and in ten; 1,000 in parallel in both."""
    rig, lines, costs = bench.rig(), [], []
    for number, goal in ((1, 3.0), (10, 4.0)):
        runs = several(rig, Wanted(SITES, stages=number), bench.runs)
        label = f"{SITES:,} sites in {number} stage{'s' if number > 1 else ''}, start to finished"
        lines.append(Line(label, "s", tuple(run.took for run in runs), goal))
        costs = [run.cost for run in runs]
    return Result(tuple(lines), tuple(costs), ("the cost is that of ten stages",))


def several(rig: Rig, wanted: Wanted, runs: int) -> list[Run]:
    """The same strategy so often, each with a release of its own; one before that does not count."""
    roll_out(rig, Wanted(min(wanted.sites, 1_000), wanted.parallel))  # code paths warm, connections open
    done = []
    for number in range(runs):
        run = roll_out(rig, wanted)
        told = f"{run.rate:,.0f} steps/s, {run.cost.cpu_total:.0f} µs each; others had {run.cost.others:.2f} cores"
        console.print(f"[dim]{wanted.sites:,} sites, run {number + 1}: {told}[/]")
        done.append(run)
    return done
