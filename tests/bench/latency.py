"""Step finished -> next step started, at 100 in parallel."""

from collections.abc import Iterator

import orjson

from shared.messages.deployer import OperationsSucceeded
from tests.bench import kafka_log
from tests.bench.bench import Bench
from tests.bench.costs import Cost
from tests.bench.handover import gaps
from tests.bench.journal import marks, spans
from tests.bench.result import Result
from tests.bench.rig import Rig, console
from tests.bench.roll_out import Wanted, roll_out
from tests.bench.summary import Line, percentile

SITES = 5_000
PARALLEL = 100
P50, P99 = 20.0, 50.0

Measured = tuple[list[float], list[float], Cost]
"""Milliseconds by the events, and by the devices; what it cost."""


def latency(bench: Bench) -> Result:
    """Percentiles of the gaps, by the deployer's events and by the devices' own journal."""
    rig = bench.rig()
    roll_out(rig, Wanted(SITES, PARALLEL))
    runs = [_run(rig) for _ in range(bench.runs)]
    lines = [
        *_lines("events", [by_events for by_events, _, _ in runs], P50, P99),
        *_lines("devices", [by_devices for _, by_devices, _ in runs]),
    ]
    return Result(tuple(lines), tuple(cost for _, _, cost in runs))


def _lines(who: str, runs: list[list[float]], p50: float | None = None, p99: float | None = None) -> Iterator[Line]:
    for per_cent, goal in ((50, p50), (99, p99)):
        values = tuple(percentile(gaps_ms, per_cent) for gaps_ms in runs)
        yield Line(f"finished to next started, {PARALLEL} in parallel, by {who}, p{per_cent}", "ms", values, goal)


def _run(rig: Rig) -> Measured:
    topics, mark = kafka_log.ends(rig, "deployer.events"), marks(rig)
    run = roll_out(rig, Wanted(SITES, PARALLEL))
    console.print(f"[dim]{SITES:,} sites, {PARALLEL} in parallel: {run.rate:,.0f} steps/s[/]")
    return _by_events(kafka_log.since(rig, topics)), _by_devices(rig, mark), run.cost


def _by_events(entries: list[kafka_log.Entry]) -> list[float]:
    """An operation ends at the time of its event, and began so many seconds before as the event says."""
    ended = [
        (entry.at, one["seconds"])
        for entry in entries
        if entry.type == OperationsSucceeded.TYPE
        for one in orjson.loads(entry.value)["operations"]
    ]
    assert len(ended) == SITES
    found = gaps([at - seconds for at, seconds in ended], [at for at, _ in ended], PARALLEL)
    return [gap * 1000 for gap in found]


def _by_devices(rig: Rig, mark: int) -> list[float]:
    """By what the devices noted when they began and ended."""
    done = spans(rig, mark)
    found = gaps([span.began for span in done], [span.ended for span in done], PARALLEL)
    return [gap * 1000 for gap in found]
