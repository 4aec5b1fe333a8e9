"""From a strategy that stopped to what the failed site said last: one command, then one more."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import Stub

OPERATION = {
    "operation_id": "s-1.0.7", "site": "oslo", "app": "web", "kind": "update", "state": "failed", "recovered": True,
    "from_version": "1.0", "to_version": "2.0", "version": "1.0", "seconds": 3.0, "strategy_id": "s-1",
    "cause": {"code": "exited", "message": "web: its process exited with status 1"},
    "plan": [{"component": "web", "driver": "process", "action": "apply", "reason": "2.0 was not here before"}],
    "phases": [{"name": "deploy", "component": "web", "outcome": "failed", "detail": "exited: status 1",
                "started_at": "2026-05-04T10:00:00Z", "finished_at": "2026-05-04T10:00:02.250Z"}],
    "last_lines": ["web: begins", "web: [bold]cannot[/bold] read its configuration"],
}  # fmt: skip
STEP = {"site": "oslo", "stage": 1, "state": "failed", "attempt": 1, "operation_id": "s-1.0.7"}
NONE = {"waiting": 0, "running": 0, "complete": 0, "failed": 0, "aborted": 0}
STRATEGY: dict[str, Any] = {
    "strategy_id": "s-1", "name": "spring", "spec": {"type": "update", "app": "web", "version": "2.0"},
    "state": "paused", "why": None, "excluded": [], "excluded_count": 0, "counts": NONE | {"complete": 1, "failed": 12},
    "stages": [
        {"position": 1, "name": "rest", "state": "running", "max_parallel": 2, "soak_seconds": 0,
         "counts": NONE | {"complete": 1, "failed": 12}, "why": None},
    ],
}  # fmt: skip


def test_a_failed_operation_is_shown_with_plan_phases_and_last_lines_as_they_are(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/operations/s-1.0.7"] = 200, OPERATION
    shown = belay("operation", "show", "s-1.0.7").stdout
    for said in ("2.0 was not here before", "exited: status 1", *OPERATION["last_lines"]):  # type: ignore[attr-defined]
        assert str(said) in shown
    as_json = json.loads(belay("operation", "show", "s-1.0.7", "--json").stdout)
    assert as_json["last_lines"] == OPERATION["last_lines"]


def test_a_preview_tells_what_would_differ_of_each_component_as_it_is_said(gateway: Stub, belay: Belay) -> None:
    ways = [{**OPERATION["plan"][0], "changes": ["image: a -> b", "label: [bold]x[/bold]"]}, OPERATION["plan"][0]]  # type: ignore[index]
    gateway.accept("POST /v1/operations", plan=ways)
    shown = belay("operation", "preview", "oslo", "web", "update", "--version", "2.0")
    assert shown.stdout.count("2.0 was not here before") == 2
    told = shown.stdout + shown.stderr
    for said in ("web would change:", "  image: a -> b", "  label: [bold]x[/bold]"):
        assert told.count(said) == 1
    as_json = json.loads(belay("operation", "preview", "oslo", "web", "update", "--version", "2.0", "--json").stdout)
    assert as_json["plan"][0]["changes"] == ways[0]["changes"]


def test_each_phase_tells_when_it_began_and_how_long_it_took(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/operations/s-1.0.7"] = 200, OPERATION
    lines = belay("operation", "show", "s-1.0.7").stdout.splitlines()
    assert any(line.startswith("cause") and line.endswith("exited with status 1") for line in lines)
    (phase,) = (line.split() for line in lines if line.startswith("deploy"))
    assert phase[:3] == ["deploy", "web", "failed"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:00 \S+ 2\.2", " ".join(phase[3:7]))


def test_of_a_failed_operation_whose_components_said_nothing_that_is_told(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/operations/s-1.0.7"] = 200, OPERATION | {"last_lines": []}
    assert "the components said nothing" in belay("operation", "show", "s-1.0.7").stdout
    gateway.answers["GET /v1/operations/s-1.0.7"] = 200, OPERATION | {"state": "succeeded", "last_lines": []}
    assert "said nothing" not in belay("operation", "show", "s-1.0.7").stdout


def stage_line(belay: Belay) -> str:
    shown = belay("strategy", "show", "spring").stdout
    return next(line for line in shown.splitlines() if line.startswith("rest "))


def test_a_strategy_that_runs_shows_what_the_monitor_foresees_of_its_stage(gateway: Stub, belay: Belay) -> None:
    soon = datetime.now(UTC)
    ends = {"eta_low": str(soon + timedelta(minutes=4)), "eta_high": str(soon + timedelta(minutes=9)), "overdue": False}
    foreseen = {"forecast": ends | {"failure_rate": 0.125}, "counts": NONE | {"complete": 1, "running": 2}}
    running = STRATEGY | {"state": "applying", "stages": [STRATEGY["stages"][0] | foreseen]}
    running |= {"counts": foreseen["counts"]}
    gateway.answers["GET /v1/strategies/spring"] = 200, running
    assert stage_line(belay).split()[-6:-1] == ["%", "4", "to", "9", "min"]
    late = foreseen | {"forecast": {"eta_low": None, "eta_high": None, "overdue": True, "failure_rate": 0.0}}
    running |= {"stages": [STRATEGY["stages"][0] | late]}
    gateway.answers["GET /v1/strategies/spring"] = 200, running
    assert "0 %" in stage_line(belay)
    assert "overdue, waits for 2 sites" in stage_line(belay)


def test_a_forecast_holds_only_while_sites_are_started(gateway: Stub, belay: Belay) -> None:
    late = {"forecast": {"eta_low": None, "eta_high": None, "overdue": True, "failure_rate": 0.5}}
    stage = STRATEGY["stages"][0] | late | {"counts": NONE | {"running": 1}}
    counts = NONE | {"complete": 1}
    gateway.answers["GET /v1/strategies/spring"] = 200, STRATEGY | {"stages": [stage], "counts": counts}
    assert "overdue" not in stage_line(belay)
    assert "%" not in stage_line(belay)


def test_a_strategy_names_its_first_failed_sites_with_their_operations_and_what_to_ask_next(
    gateway: Stub, belay: Belay
) -> None:
    gateway.answers["GET /v1/strategies/spring"] = 200, STRATEGY
    gateway.items("/v1/strategies/s-1/steps", *(STEP | {"site": f"site-{n}"} for n in range(12)))
    shown = belay("strategy", "show", "spring").stdout
    assert "failed: 12, the first 10:" in shown
    assert [line.split()[:3] for line in shown.splitlines() if line.startswith("site-9")] == [
        ["site-9", "rest", "s-1.0.7"]
    ]
    assert "site-10" not in shown
    assert "`belay operation show s-1.0.7`" in shown


def test_a_strategy_without_failures_asks_for_no_steps(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/strategies/spring"] = 200, STRATEGY | {"counts": {"complete": 1, "failed": 0}}
    assert "failed:" not in belay("strategy", "show", "spring").stdout
    assert [asked.path for asked in gateway.asked] == ["/v1/strategies/spring"]


def test_a_step_tells_each_attempt_and_what_was_said_last(gateway: Stub, belay: Belay) -> None:
    attempt = {
        "attempt": 1, "operation_id": "s-1.0.1", "state": "failed", "phase": "deploy", "percent": 40, "seconds": 3.0,
        "cause": {"code": "disk_full", "message": "no space left"}, "last_lines": ["cannot write", "gave up"],
        "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:03Z",
    }  # fmt: skip
    second = attempt | {"attempt": 2, "operation_id": "s-1.0.2", "state": "running", "cause": None, "last_lines": []}
    gateway.answers["GET /v1/strategies/spring"] = 200, STRATEGY
    gateway.answers["GET /v1/strategies/spring/steps/site-0"] = 200, STEP | {"attempts": [attempt, second]}
    shown = belay("strategy", "step", "spring", "site-0").stdout
    assert "no space left" in shown
    assert "last lines of attempt 1:\ncannot write\ngave up" in shown
    assert "last lines of attempt 2" not in shown


def test_single_sites_are_skipped_tried_again_and_cancelled_with_an_abort(gateway: Stub, belay: Belay) -> None:
    for verb in ("skip", "retry", "abort"):
        gateway.answers[f"POST /v1/strategies/spring/{verb}"] = 200, {"command_id": "c-1", "state": "accepted"}
    belay("strategy", "skip", "spring", "oslo-1", "oslo-2", "--reason", "in the post")
    belay("strategy", "retry", "spring", "--site", "oslo-3")
    belay("strategy", "retry", "spring")
    belay("strategy", "abort", "spring", "--now")
    belay("strategy", "abort", "spring")
    assert [asked.body for asked in gateway.asked] == [
        {"reason": "in the post", "sites": ["oslo-1", "oslo-2"]},
        {"reason": "", "sites": ["oslo-3"]},
        {"reason": ""},
        {"reason": "", "now": True},
        {"reason": ""},
    ]
