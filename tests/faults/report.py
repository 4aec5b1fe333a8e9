"""What a campaign has to say: a table for people, build/faults.json for programs."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.faults.campaign import DEVICE_KINDS, Round
from tests.faults.checker import Recovery
from tests.faults.evidence import KINDS

RESULT = Path("build/faults.json")


SHOWN = 5
"""Violations of a rule that are listed; build/faults.json has more, the evidence all."""

KEPT = 50


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """Faults by kind, violations by rule, recovery times; whether everything held."""
    kinds = Counter(fault.kind for one in rounds for fault in one.faults)
    return {
        "injected": injected(rounds),
        "devices": sum(kinds[kind] for kind in DEVICE_KINDS.values()),
        "faults": {kind: kinds[kind] for kind in KINDS if kinds[kind]},
        "points": dict(Counter(point for one in rounds for point in points_of(one)).most_common()),
        "rules": rules(rounds),
        "recovery_seconds": recovery_times(rounds),
        "rounds": [told(one) for one in rounds],
        "held": all(one.held for one in rounds),
    }


def injected(rounds: Sequence[Round]) -> int:
    """How many faults, those not counted that devices did by the chances of their releases."""
    return sum(fault.kind not in DEVICE_KINDS.values() for one in rounds for fault in one.faults)


def points_of(one: Round) -> list[str]:
    """Where processes were struck, each time."""
    return [f"{fault.kind} {fault.details['point']}" for fault in one.faults if "point" in fault.details]


def rules(rounds: Sequence[Round]) -> dict[str, dict[str, int]]:
    """How many things each rule looked at, and how many were wrong."""
    found: dict[str, dict[str, int]] = {}
    for result in (result for one in rounds for result in one.results):
        rule = found.setdefault(result.rule, {"checked": 0, "violations": 0})
        rule["checked"] += result.checked
        rule["violations"] += len(result.violations)
    return found


def recovery_times(rounds: Sequence[Round]) -> dict[str, dict[str, float]]:
    """By kind and target without its number: how many were measured, their median and maximum."""
    found: dict[str, list[Recovery]] = {}
    for recovery in (recovery for one in rounds for recovery in one.recoveries):
        if recovery.seconds is not None:
            name = recovery.target.rpartition("-")[0] or recovery.target
            for key in {recovery.kind, f"{recovery.kind} {name}"}:
                found.setdefault(key, []).append(recovery)
    return {name: _spread(all_) for name, all_ in sorted(found.items())}


def _spread(all_: Sequence[Recovery]) -> dict[str, float]:
    """`away`: the part of the time in which the server itself was starting again."""
    seconds = [recovery.seconds or 0.0 for recovery in all_]
    away = [recovery.down for recovery in all_]
    figures = {"p50": median(seconds), "max": max(seconds), "away_p50": median(away), "away_max": max(away)}
    return {"measured": len(all_)} | {name: round(value, 2) for name, value in figures.items()}


def told(one: Round) -> dict[str, Any]:
    """One round, with what was wrong in it."""
    violations = [f"{v.rule} {v.subject}: {v.detail}" for result in one.results for v in result.violations[:KEPT]]
    return {
        "seed": one.seed,
        "faults": len(one.faults),
        "missed": one.missed,
        "steps": one.steps,
        "seconds": round(one.seconds, 1),
        "problems": one.problems,
        "violations": violations,
    }


def show(result: dict[str, Any], rounds: Sequence[Round], console: Console) -> None:
    """Print it."""
    console.print(_faults(result), _rules(result))
    for one in rounds:
        for problem in one.problems:
            console.print(f"[red]seed {one.seed}:[/] {escape(problem)}", highlight=False)
        for judged in one.results:
            for violation in judged.violations[:SHOWN]:
                line = (
                    f"[red]seed {one.seed}: {violation.rule}[/] {escape(violation.subject)}: {escape(violation.detail)}"
                )
                console.print(line, highlight=False, soft_wrap=True)
        if not one.held:
            console.print(f"the evidence of seed {one.seed} is in {one.folder}", highlight=False)


def _faults(result: dict[str, Any]) -> Table:
    title = f"{result['injected']:,} faults injected, {result['devices']:,} of devices beside them"
    table = Table("fault", "times", "recovery measured", "p50", "max", "away p50", title=title)
    for kind, times in result["faults"].items():
        recovery = result["recovery_seconds"].get(kind)
        names = ("p50", "max", "away_p50")
        figures = [str(recovery["measured"]), *(f"{recovery[name]} s" for name in names)] if recovery else []
        table.add_row(KINDS[kind].what, f"{times:,}", *figures)
    return _right(table)


def _rules(result: dict[str, Any]) -> Table:
    table = Table("rule", "checked", "violations", title="What was promised")
    for rule, counts in result["rules"].items():
        wrong = counts["violations"]
        table.add_row(rule, f"{counts['checked']:,}", f"[red]{wrong:,}[/]" if wrong else "0")
    return _right(table)


def _right(table: Table) -> Table:
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def write(result: dict[str, Any]) -> None:
    """For programs."""
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
