"""Step finished -> next step started, at 100 in parallel."""

from collections.abc import Iterator

import orjson

from shared.messages.deployer import OperationsSucceeded, OperationSucceeded
from tests.bench import kafka_log
from tests.bench.bench import Bench
from tests.bench.costs import Cost
from tests.bench.handover import gaps
from tests.bench.journal import marks, spans
from tests.bench.result import Result
from tests.bench.rig import Rig, console
from tests.bench.roll_out import Wanted, roll_out
from tests.bench.summary import Line, percentile

PARALLEL = 100
INSTANT = Wanted(5_000, PARALLEL)
"""Devices that need no time: the gap is then what a hundred steps cost, one after another."""

TIMED = Wanted(1_000, PARALLEL, seconds=(0.5, 1.5))
"""A fleet as it is, only faster: a hundred steps end in a second, and the gap is the way from one to the next."""

P50, P99 = 20.0, 50.0

Measured = tuple[list[float], list[float], Cost]
"""Milliseconds by the events, and by the devices; what it cost."""


def latency(bench: Bench) -> Result:
    """Percentiles of the gaps, by the deployer's events and by the devices' own journal."""
    rig = bench.rig()
    roll_out(rig, INSTANT)
    instant = [_run(rig, INSTANT) for _ in range(bench.runs)]
    timed = [_run(rig, TIMED) for _ in range(bench.runs)]
    lines = (
        *_lines(f"{PARALLEL} in parallel, by events", [by_events for by_events, _, _ in instant], P50, P99),
        *_lines(f"{PARALLEL} in parallel, by devices", [by_devices for _, by_devices, _ in instant]),
        *_lines("devices of 0.5 to 1.5 s, by events", [by_events for by_events, _, _ in timed]),
        *_lines("devices of 0.5 to 1.5 s, by devices", [by_devices for _, by_devices, _ in timed]),
    )
    return Result(lines, tuple(cost for _, _, cost in instant))


def _lines(how: str, runs: list[list[float]], p50: float | None = None, p99: float | None = None) -> Iterator[Line]:
    for per_cent, goal in ((50, p50), (99, p99)):
        values = tuple(percentile(gaps_ms, per_cent) for gaps_ms in runs)
        yield Line(f"finished to next started, {how}, p{per_cent}", "ms", values, goal)


def _run(rig: Rig, wanted: Wanted) -> Measured:
    topics, mark = kafka_log.ends(rig, "deployer.events"), marks(rig)
    run = roll_out(rig, wanted)
    console.print(f"[dim]{wanted.sites:,} sites, {PARALLEL} in parallel: {run.rate:,.0f} steps/s[/]")
    by_events = _by_events(kafka_log.since(rig, topics))
    assert len(by_events) == wanted.sites - PARALLEL
    return by_events, _by_devices(rig, mark), run.cost


def _by_events(entries: list[kafka_log.Entry]) -> list[float]:
    """An operation ends at the time of its event, and began so many seconds before as the event says."""
    ended = [(entry.at, seconds) for entry in entries for seconds in _seconds(entry)]
    found = gaps([at - seconds for at, seconds in ended], [at for at, _ in ended], PARALLEL)
    return [gap * 1000 for gap in found]


def _seconds(entry: kafka_log.Entry) -> list[float]:
    """What each operation took that the event tells the end of."""
    if entry.type == OperationsSucceeded.TYPE:
        return [one["seconds"] for one in orjson.loads(entry.value)["operations"]]
    return [orjson.loads(entry.value)["seconds"]] if entry.type == OperationSucceeded.TYPE else []


def _by_devices(rig: Rig, mark: int) -> list[float]:
    """By what the devices noted when they began and ended."""
    done = spans(rig, mark)
    found = gaps([span.began for span in done], [span.ended for span in done], PARALLEL)
    return [gap * 1000 for gap in found]
