"""A thousand commands a second over HTTP beside a running strategy."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import orjson

from services.cli.client import ProblemError
from tests.bench.bench import Bench
from tests.bench.fleet import LARGEST
from tests.bench.load import TIMEOUT_SECONDS
from tests.bench.result import Result
from tests.bench.rig import Rig, console, wait
from tests.bench.roll_out import Wanted, apply, create, ended
from tests.bench.summary import Line, percentile

RATE, SECONDS = 1_000, 10
P99 = 100.0
STEPS_FIRST = 1_000
"""So many steps are complete before the load begins, and the strategy must still run when it ends."""


def http(bench: Bench) -> Result:
    """Errors and times of the answers while a strategy over the whole fleet runs, with instant devices."""
    rig = bench.rig("fleet")
    outcomes = [_run(rig, number) for number in range(bench.runs)]
    errors = tuple(float(sum(outcome["errors"].values())) for outcome in outcomes)
    p50, p99 = (
        tuple(percentile(o["ms"] or [TIMEOUT_SECONDS * 1000], per_cent) for o in outcomes) for per_cent in (50, 99)
    )
    rates = tuple(len(outcome["ms"]) / outcome["seconds"] for outcome in outcomes)
    kinds = {kind: count for outcome in outcomes for kind, count in outcome["errors"].items()}
    late = max(outcome["late_ms"] for outcome in outcomes)
    notes = (f"errors: {kinds or 'none'}; the sender itself was at most {late:.0f} ms late, which counts as time",)
    lines = (
        Line(f"errors in {RATE * SECONDS:,} commands at {RATE:,}/s beside a running strategy", "errors", errors, 0),
        Line("from due to answered, p99", "ms", p99, P99),
        Line("from due to answered, p50", "ms", p50),
        Line("answered from first to last", "commands/s", rates, better="more"),
        Line("steps meanwhile", "steps/s", tuple(outcome["steps"] for outcome in outcomes), better="more"),
    )
    return Result(lines, notes=notes)


def _run(rig: Rig, number: int) -> dict[str, Any]:
    name, _ = create(rig, Wanted(LARGEST))
    apply(rig, name)
    wait(lambda: _complete(rig, name) >= STEPS_FIRST)
    before = _complete(rig, name)
    with _load(rig, f"load-{rig.releases}-{number}") as load:
        time.sleep(SECONDS)
        after = _complete(rig, name)
        answers, _ = load.communicate()
    if load.returncode or after == LARGEST:
        raise RuntimeError(f"the load failed, or {LARGEST:,} sites are too few for {SECONDS} s")
    _end(rig, name)
    outcome: dict[str, Any] = {**orjson.loads(answers), "steps": (after - before) / SECONDS}
    console.print(f"[dim]{len(outcome['ms']):,} answers, errors: {outcome['errors'] or 'none'}[/]")
    return outcome


def _complete(rig: Rig, name: str) -> int:
    return int(rig.client.get(f"/v1/strategies/{name}")["counts"]["complete"])


def _load(rig: Rig, prefix: str) -> "subprocess.Popen[bytes]":
    program = (sys.executable, "-m", "tests.bench.load", rig.client.url, str(RATE), str(SECONDS), prefix)
    return subprocess.Popen(program, env={**os.environ, "BELAY_TOKEN": rig.token}, stdout=subprocess.PIPE)


def _end(rig: Rig, name: str) -> None:
    """Abort what still runs, and wait until all is quiet."""
    with suppress(ProblemError):  # it may have ended by itself meanwhile
        rig.client.command("POST", f"/v1/strategies/{name}/abort", {})
    wait(lambda: ended(rig, name))
    rig.settle()
