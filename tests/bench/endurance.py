"""Many roll-outs one after the other: what a step costs at the end against the beginning, and what grew meanwhile."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench import growth
from tests.bench.bench import Bench
from tests.bench.calibration import calibrate
from tests.bench.result import Result
from tests.bench.rig import Rig, console
from tests.bench.roll_out import Run, Wanted, roll_out
from tests.bench.summary import Line, medians

SITES, ROUNDS = 2_000, 100
WARM = 5
"""Roll-outs that do not count: Kafka compiles its code while it runs, which would make the first ten the dearest."""

END = 10
"""So many at the beginning are held against so many at the end."""

GOAL = 1.1


@dataclass(frozen=True, slots=True)
class Round:
    """A roll-out, and the calibration of the machine around it, in CPU seconds."""

    run: Run
    calibrated: float

    @property
    def us(self) -> float:
        """CPU of a step, in microseconds of a machine that does one calibration in a second."""
        return self.run.cost.cpu_total / self.calibrated


def endurance(bench: Bench) -> Result:
    """The ratio of the medians of both ends, and all sizes at the start, in the middle and at the end."""
    sites, count = bench.sizes[0] if bench.sizes else SITES, bench.rounds or ROUNDS
    rig, wanted = bench.rig("endurance"), Wanted(sites)
    for _ in range(min(WARM, count)):
        roll_out(rig, wanted)
    rounds, sizes = [], {"start": growth.sizes(rig)}
    for half, moment in ((count // 2, "middle"), (count - count // 2, "end")):
        rounds += _rounds(rig, wanted, half)
        sizes[moment] = growth.sizes(rig)
    return _result(rounds, sites, sizes)


def _rounds(rig: Rig, wanted: Wanted, count: int) -> list[Round]:
    """So many roll-outs with a calibration between any two."""
    found, before = [], calibrate()
    for _ in range(count):
        run, after = roll_out(rig, wanted), calibrate()
        found.append(Round(run, (before + after) / 2))
        told = f"{run.cost.cpu_total:.0f} µs a step, calibration {after * 1000:.0f} ms"
        console.print(f"[dim]{run.name}: {told}; others had {run.cost.others:.2f} cores[/]")
        before = after
    return found


def _result(rounds: Sequence[Round], sites: int, sizes: dict[str, dict[str, int]]) -> Result:
    first, last = ends(rounds)
    ratio = ahead([one.us for one in first], [one.us for one in last])
    label = f"CPU of a step, last {len(last)} of {len(rounds)} roll-outs of {sites:,} sites against the first"
    lines = [Line(label, "times", (ratio,), GOAL)]
    for which, those in (("first", first), ("last", last)):
        lines.append(Line(f"CPU of a step in the {which}", "µs", tuple(one.run.cost.cpu_total for one in those)))
        lines.append(Line(f"calibration in the {which}", "ms", tuple(one.calibrated * 1000 for one in those)))
        lines.append(Line(f"WAL of a step in the {which}", "B", tuple(one.run.cost.wal_bytes for one in those)))
    whole = (growth.ALL_TABLES, growth.JOURNAL, growth.KAFKA)
    lines += [Line(f"{what} at the end against the middle", "times", (_grown(sizes, what),)) for what in whole]
    note = f"by process, times: {', '.join(f'{name} {times:.2f}' for name, times in by_process(first, last).items())}"
    return Result(tuple(lines), tuple(one.run.cost for one in last), (note,), sizes=by_name(sizes))


def by_process(first: Sequence[Round], last: Sequence[Round]) -> dict[str, float]:
    """How many times its CPU of a step at the beginning each process takes at the end."""
    spent = [
        medians([{name: us / one.calibrated for name, us in one.run.cost.cpu_us.items()} for one in those])
        for those in (first, last)
    ]
    return {name: spent[1][name] / us for name, us in spent[0].items() if us and name in spent[1]}


def ends(rounds: Sequence[Round]) -> tuple[Sequence[Round], Sequence[Round]]:
    """The first and the last ones; of few rounds a half each."""
    count = max(min(END, len(rounds) // 2), 1)
    return rounds[:count], rounds[-count:]


def ahead(first: Sequence[float], last: Sequence[float]) -> float:
    """How many times the first median the last one is."""
    return statistics.median(last) / statistics.median(first)


def _grown(sizes: dict[str, dict[str, int]], what: str) -> float:
    return sizes["end"][what] / max(sizes["middle"][what], 1)


def by_name(sizes: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """{name: {moment: bytes}} out of {moment: {name: bytes}}; what was not there yet has nothing."""
    names = dict.fromkeys(name for at in sizes.values() for name in at)
    return {name: {moment: at.get(name, 0) for moment, at in sizes.items()} for name in names}
