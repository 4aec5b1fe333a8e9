"""Two replicas of deployer and orchestrator against one."""

from tests.bench.bench import TWO, Bench
from tests.bench.result import Result
from tests.bench.roll_out import Run, Wanted
from tests.bench.steps import SITES, several
from tests.bench.summary import Line, medians

GOAL = 0.95
"""No slower: two medians of a few runs differ by chance by some per cent."""


def replicas(bench: Bench) -> Result:
    """Steps a second of both, and how many cores each keeps busy: that says where the limit lies."""
    two = several(bench.rig("two replicas", TWO), Wanted(SITES), bench.runs)
    one = several(bench.rig("one again"), Wanted(SITES), bench.runs)
    base = medians([{"rate": run.rate} for run in one])["rate"]
    lines = (
        Line("two replicas against one", "times", tuple(run.rate / base for run in two), GOAL, "more"),
        Line("two replicas", "steps/s", tuple(run.rate for run in two), better="more"),
        Line("one replica", "steps/s", tuple(run.rate for run in one), better="more"),
        Line("busy with two", "cores", tuple(busy(run) for run in two)),
        Line("busy with one", "cores", tuple(busy(run) for run in one)),
    )
    return Result(lines, tuple(run.cost for run in two))


def busy(run: Run) -> float:
    """How many cores Belay, Kafka and PostgreSQL kept busy together while the strategy ran."""
    return run.cost.cpu_total * run.sites / 1e6 / run.cost.seconds
