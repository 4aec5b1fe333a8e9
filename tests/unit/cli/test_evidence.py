"""From a strategy that stopped to what the failed site said last: one command, then one more."""

import json

from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import Stub

OPERATION = {
    "operation_id": "s-1.0.7", "site": "oslo", "app": "web", "kind": "update", "state": "failed", "recovered": True,
    "from_version": "1.0", "to_version": "2.0", "version": "1.0", "seconds": 3.0, "strategy_id": "s-1",
    "cause": {"code": "exited", "message": "web: its process exited with status 1"},
    "plan": [{"component": "web", "driver": "process", "action": "apply", "reason": "2.0 was not here before"}],
    "phases": [{"name": "deploy", "component": "web", "outcome": "failed", "detail": "exited: status 1"}],
    "last_lines": ["web: begins", "web: [bold]cannot[/bold] read its configuration"],
}  # fmt: skip
STEP = {"site": "oslo", "stage": 1, "state": "failed", "attempt": 1, "operation_id": "s-1.0.7"}
STRATEGY = {
    "strategy_id": "s-1", "name": "spring", "spec": {"type": "update", "app": "web", "version": "2.0"},
    "state": "paused", "why": None, "excluded": [], "excluded_count": 0, "counts": {"complete": 1, "failed": 12},
    "stages": [
        {"position": 1, "name": "rest", "state": "running", "counts": {"complete": 1, "failed": 12}, "max_parallel": 2,
         "soak_seconds": 0, "why": None},
    ],
}  # fmt: skip


def test_a_failed_operation_is_shown_with_plan_phases_and_last_lines_as_they_are(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/operations/s-1.0.7"] = 200, OPERATION
    shown = belay("operation", "show", "s-1.0.7").stdout
    for said in ("2.0 was not here before", "exited: status 1", *OPERATION["last_lines"]):  # type: ignore[attr-defined]
        assert str(said) in shown
    as_json = json.loads(belay("operation", "show", "s-1.0.7", "--json").stdout)
    assert as_json["last_lines"] == OPERATION["last_lines"]


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
