"""Undo and rollback at the command line: what goes where and what is left out is said before anything is done."""

import json

from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import Stub

MIXED = {
    "code": "mixed_targets",
    "field": "mixed",
    "message": "the sites would go to different releases: 4 to 1.0, 2 to 1.1",
    "value": {"1.0": 4, "1.1": 2},
}
ROLLBACK = ("strategy", "create", "back", "--app", "shop", "--type", "rollback", "--all")
PLANNED = {
    "strategy_id": "c-1", "name": "undo-up", "state": "ready",
    "spec": {"type": "rollback", "app": "shop", "undo": "s-1"},
    "why": None, "stages": [], "counts": {"waiting": 3}, "excluded_count": 2, "deleted": False,
    "excluded": [{"site": "s-4", "code": "moved_on", "message": "site s-4 runs shop 1.3 now"},
                 {"site": "s-5", "code": "unmanaged", "message": "site s-5 is unmanaged"}],
    "targets": [{"version": "1.0", "sites": 2}, {"version": "1.1", "sites": 1}],
}  # fmt: skip


def test_undo_sends_only_what_was_said_and_tells_who_goes_where(gateway: Stub, belay: Belay) -> None:
    result_of = {"strategy_id": "c-1", "name": "undo-up", "sites": 3, "excluded": 2, "targets": 2}
    gateway.accept("POST /v1/strategies/up/undo", **result_of)
    gateway.answers["GET /v1/strategies/c-1"] = 200, PLANNED
    result = belay("strategy", "undo", "up", "--reason", "it loses orders", "--max-parallel", "5")
    assert result.exit_code == 0, result.stderr
    (asked,) = gateway.sent("POST")
    assert asked.body == {"reason": "it loses orders", "max_parallel": "5"}
    said = " ".join(result.stdout.split())
    assert "2 sites to 1.0, 1 to 1.1" in said
    assert "2 of 5 selected sites are left out: site s-4 runs shop 1.3 now; site s-5 is unmanaged" in said
    assert "belay strategy apply undo-up" in said


def test_a_script_is_not_asked_whether_sites_may_go_to_different_releases(gateway: Stub, belay: Belay) -> None:
    gateway.refuse("POST /v1/strategies", 422, "mixed_targets", MIXED)
    result = belay(*ROLLBACK)
    assert result.exit_code == 3
    assert "4 to 1.0, 2 to 1.1" in result.stderr
    gateway.accept("POST /v1/strategies")
    assert belay(*ROLLBACK, "--yes").exit_code == 0
    assert [asked.body.get("mixed") for asked in gateway.sent("POST")] == [None, True]


def test_watching_names_what_is_left_out_first(gateway: Stub, belay: Belay) -> None:
    why = {"code": "complete", "message": "3 of 5 sites are done; 2 left out"}
    ended = PLANNED | {"state": "complete", "why": why, "counts": {"complete": 3}}
    gateway.answers["GET /v1/strategies/up"] = 200, ended
    result = belay("strategy", "watch", "up")
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert said.index("2 of 5 selected sites are left out") < said.index("strategy undo-up complete")
    assert said.endswith("strategy undo-up complete: 3 of 5 sites are done; 2 left out")
    assert json.loads(belay("strategy", "plan", "up", "--json").stdout)["targets"] == PLANNED["targets"]
