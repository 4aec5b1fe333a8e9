"""A hundred thousand sites: what a step costs, how soon the plan is ready, what memory it takes, how fresh the page is.

One stack and one registration serve all of these figures: the runs are made once, each figure reads its part.
"""

import statistics
import time
from dataclasses import dataclass

from tests.bench import costs, kafka_log, stream
from tests.bench.bench import Bench
from tests.bench.result import Result
from tests.bench.rig import Rig, console
from tests.bench.roll_out import Run, Wanted, register, roll_out
from tests.bench.summary import Line, percentile

SIZES = (1_000, 10_000, 100_000)
LARGEST = SIZES[-1]
SMALL_RUNS = 5
"""At least, of what takes a second or two: it is the measure for the rest."""

IDLE_SECONDS = 5
SERVICES = ("catalog", "deployer", "strategy_orchestrator", "notifier", "monitor", "gateway")
COST, PLAN, MEMORY, FRESH = 1.2, 5.0, 250.0, 250.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """The runs by size; CPU seconds a second of everything at rest; the peaks while the sites were registered."""

    runs: dict[int, list[Run]]
    idle: float
    registering: dict[str, int]
    views: list[stream.View]


def fleet(bench: Bench) -> Fleet:
    """The runs on a fresh stack, from few sites to many: made once."""
    if bench.fleet is None:
        bench.fleet = _measured(bench.rig("fleet"), bench.runs)
    assert isinstance(bench.fleet, Fleet)
    return bench.fleet


def _measured(rig: Rig, count: int) -> Fleet:
    roll_out(rig, Wanted(SIZES[0]))
    idle, runs, views = _idle(rig), {}, []
    for size in SIZES[:-1]:
        runs[size] = [roll_out(rig, Wanted(size)) for _ in range(max(count, SMALL_RUNS))]
    with costs.peaks(rig.home) as registering:
        _register(rig)
    runs[LARGEST] = []
    for _ in range(count):
        run, view = _watched(rig)
        runs[LARGEST].append(run)
        views.append(view)
    return Fleet(runs, idle, registering, views)


def _idle(rig: Rig) -> float:
    """CPU seconds a second that everything takes while nothing is to be done."""
    before = rig.read()
    time.sleep(IDLE_SECONDS)
    return costs.between(before, rig.read(), {}, 1).cpu_total / 1e6 / IDLE_SECONDS


def _register(rig: Rig) -> None:
    began = time.monotonic()
    register(rig, LARGEST)
    rig.settle()
    console.print(f"[dim]{LARGEST:,} sites registered in {time.monotonic() - began:.0f} s[/]")


def _watched(rig: Rig) -> tuple[Run, stream.View]:
    topics, mark = kafka_log.ends(rig, *stream.TOPICS), rig.notes.stat().st_size
    run = roll_out(rig, Wanted(LARGEST))
    told = f"{run.rate:,.0f} steps/s, {run.cost.cpu_total:.0f} µs each; others had {run.cost.others:.2f} cores"
    console.print(f"[dim]{LARGEST:,} sites: {told}[/]")
    seen = rig.notes.read_text()[mark:]
    return run, stream.view(kafka_log.since(rig, topics), stream.parse(seen))


# -- figures ------------------------------------------------------------------------------------------------------


def scale(bench: Bench) -> Result:
    """CPU above idle and WAL for each step, and how much more they are in a large fleet."""
    found = fleet(bench)
    cpu = {size: [_above_idle(run, found.idle) for run in runs] for size, runs in found.runs.items()}
    wal = {size: [run.cost.wal_bytes for run in runs] for size, runs in found.runs.items()}
    lines = []
    for what, unit, each in (("CPU", "µs", cpu), ("WAL", "B", wal)):
        base = statistics.median(each[SIZES[0]])
        ratios = tuple(value / base for value in each[LARGEST])
        lines.append(Line(f"{what} of a step at {LARGEST:,} sites against {SIZES[0]:,}", "times", ratios, COST))
        lines += [Line(f"{what} of a step at {size:,} sites", unit, tuple(values)) for size, values in each.items()]
    rates = tuple(run.rate for run in found.runs[LARGEST])
    lines.append(Line(f"{LARGEST:,} sites, 1,000 in parallel", "steps/s", rates, better="more"))
    note = f"at rest everything together takes {found.idle * 100:.0f} % of a core, which is not counted here"
    return Result(tuple(lines), tuple(run.cost for run in found.runs[LARGEST]), (note,))


def _above_idle(run: Run, idle: float) -> float:
    return run.cost.cpu_total - idle * run.cost.seconds / run.sites * 1e6


def plan(bench: Bench) -> Result:
    """From the command that creates a strategy of the whole fleet to its plan on the page."""
    values = tuple(run.planned for run in fleet(bench).runs[LARGEST])
    return Result((Line(f"strategy of {LARGEST:,} sites, from command to plan shown", "s", values, PLAN),))


def memory(bench: Bench) -> Result:
    """The peak of each process while the fleet was registered, planned and rolled out."""
    found, lines = fleet(bench), []
    peaks = [run.cost.peak for run in found.runs[LARGEST]]
    for name in peaks[0]:
        values = tuple(max(peak.get(name, 0), found.registering.get(name, 0)) / costs.MIB for peak in peaks)
        ours = name.rpartition("-")[0] in SERVICES
        lines.append(Line(name, "MiB", values, MEMORY if ours else None))
    return Result(tuple(lines))


def fresh(bench: Bench) -> Result:
    """From an event in Kafka to the open page, while the whole fleet is rolled out."""
    views = fleet(bench).views
    return Result(
        (
            Line("event in Kafka to the page, p99", "ms", tuple(percentile(v.ms, 99) for v in views), FRESH),
            Line("event in Kafka to the page, p50", "ms", tuple(percentile(v.ms, 50) for v in views)),
            Line("the same once all sites are held, p99", "ms", tuple(percentile(v.running_ms, 99) for v in views)),
            Line("events that never came", "events", tuple(float(v.missed) for v in views), 0),
            Line("events seen", "events", tuple(float(len(v.ms)) for v in views), better="more"),
        )
    )
