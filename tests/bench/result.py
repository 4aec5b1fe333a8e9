"""What a figure found: its lines, what a step cost meanwhile, and what a reader has to know."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.costs import MIB, Cost
from tests.bench.summary import Line, medians


@dataclass(frozen=True, slots=True)
class Result:
    """Of one figure. `costs` are those of its runs, `notes` are sentences for people.

    `left_out` is what could not be measured here, by name, with the reason; `sizes` are bytes by name at several
    moments, whose names are the keys.
    """

    lines: tuple[Line, ...]
    costs: tuple[Cost, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)


def as_json(result: Result) -> dict[str, Any]:
    """For build/bench.json."""
    return {
        "lines": [_line(line) for line in result.lines],
        "per_step": per_step(result.costs) if result.costs else None,
        "notes": list(result.notes),
        "left_out": result.left_out,
        "sizes": result.sizes,
    }


def broken(error: Exception) -> dict[str, Any]:
    """For build/bench.json: a figure that could not be measured, and why."""
    return {"lines": [], "per_step": None, "notes": [f"broken off: {error}"], "broken": True}


def _line(line: Line) -> dict[str, Any]:
    low, median, high = line.spread
    return {
        "label": line.label,
        "unit": line.unit,
        "goal": line.goal,
        "better": line.better,
        "min": low,
        "median": median,
        "max": high,
        "values": list(line.values),
        "reached": line.reached,
    }


def lines_of(facts: dict[str, Any]) -> list[Line]:
    """The lines of a figure in build/bench.json."""
    return [Line(one["label"], one["unit"], tuple(one["values"]), one["goal"], one["better"]) for one in facts["lines"]]


def per_step(costs: Sequence[Cost]) -> dict[str, Any]:
    """Medians over the runs; the peak memory is the highest of any run."""
    peaks = {name: max(cost.peak.get(name, 0) for cost in costs) for name in costs[-1].peak}
    sums = medians([{"cpu": c.cpu_total, "wal": c.wal_bytes, "kafka": c.kafka_bytes} for c in costs])
    return {
        "cpu_us": medians([cost.cpu_us for cost in costs]),
        "cpu_us_total": sums["cpu"],
        "wal_bytes": sums["wal"],
        "kafka_bytes": sums["kafka"],
        "others_cores": round(max(cost.others for cost in costs), 2),
        "peak_mib": {name: round(value / MIB, 1) for name, value in peaks.items()},
    }
