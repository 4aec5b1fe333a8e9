"""One deployment: how it is and why, what was done to it, and what would be done."""

import json
from typing import Any

import pytest

from services.cli.watch import line_of
from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import Stub
from tests.unit.cli.test_evidence import OPERATION

DEPLOYMENT: dict[str, Any] = {
    "site": "oslo", "app": "web", "version": "1.0", "status": "update_error", "operation_id": "s-1.0.7",
    "strategy_id": None, "updated_at": "2026-05-04T10:00:03Z", "running": None, "last": {**OPERATION, "doing": []},
}  # fmt: skip


WAY: dict[str, Any] = OPERATION["plan"][0]  # type: ignore[index]


def test_a_deployment_is_shown_with_plan_phases_and_evidence_of_what_left_it_so(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/deployments/oslo/web"] = 200, DEPLOYMENT
    shown = belay("deployment", "show", "oslo", "web")
    told = shown.stdout + shown.stderr
    for said in ("update_error", "2.0 was not here before", "exited: status 1", "cannot read its configuration"):
        assert said.replace("cannot read", "[bold]cannot[/bold] read") in told
    assert json.loads(belay("deployment", "show", "oslo", "web", "--json").stdout)["last"]["recovered"] is True


def test_its_history_is_what_was_done_to_it(gateway: Stub, belay: Belay) -> None:
    gateway.items("/v1/deployments/oslo/web/history", OPERATION)
    assert "s-1.0.7" in belay("deployment", "history", "oslo", "web").stdout


def test_a_plan_tells_each_component_its_values_and_whether_anything_leads_back(gateway: Stub, belay: Belay) -> None:
    way = {**WAY, "values": [{"path": "replicas", "before": 2, "after": 3}], "notices": ["key is old"]}
    gateway.accept("POST /v1/operations", plan=[way], point_of_no_return=None)
    shown = belay("deployment", "plan", "oslo", "web", "--version", "2.0")
    told = shown.stdout + shown.stderr
    for said in ("2.0 was not here before", "replicas", "web note: key is old", "if it fails, it is turned back"):
        assert said in told
    assert gateway.sent("POST")[0].body == {
        "site": "oslo", "app": "web", "kind": "update", "version": "2.0", "preview": True,
    }  # fmt: skip
    gateway.accept("POST /v1/operations", plan=[way], point_of_no_return="deploy")
    shown = belay("deployment", "plan", "oslo", "web", "--kind", "recover")
    assert "from deploy on it is not turned back" in shown.stdout + shown.stderr


PREVIEWED: dict[str, Any] = {
    "plan": [{**WAY, "values": [{"path": "image.tag", "before": '"1"', "after": None}], "changes": ["+ port"]}],
    "first": [{"app": "certs", "version": "1.4"}, {"app": "ingress", "version": "3.0"}],
    "notices": ["2.0 wants Kubernetes 1.29, and the site says nothing of it"],
    "point_of_no_return": "deploy",
}


@pytest.mark.parametrize(
    "asked", [("deployment", "plan", "oslo", "web", "--kind"), ("operation", "preview", "oslo", "web")]
)
def test_a_plan_takes_the_options_of_what_it_plans_and_tells_all_of_it(
    gateway: Stub, belay: Belay, asked: tuple[str, ...]
) -> None:
    gateway.accept("POST /v1/operations", **PREVIEWED)
    options = (
        "--version",
        "2.0",
        "--recover",
        "never",
        "--reset-overrides",
        "--no-reset-attributes",
        "--timeout",
        "5m",
    )
    shown = belay(*asked, "update", *options)
    assert shown.exit_code == 0, shown.output
    assert gateway.sent("POST")[0].body == {
        "site": "oslo", "app": "web", "kind": "update", "version": "2.0", "preview": True, "recover": "never",
        "reset_overrides": True, "reset_attributes": False, "timeout_seconds": 300,
    }  # fmt: skip
    told = shown.stdout
    for said in ("1. certs to 1.4", "2. ingress to 3.0", "wants Kubernetes 1.29", "web would change:", "+ port"):
        assert said in told
    assert ["web", "image.tag", '"1"', "-"] in [line.split() for line in told.splitlines()]
    assert told.index("certs") < told.index("2.0 was not here before") < told.index("from deploy on it is not turned")
    assert json.loads(belay(*asked, "update", "--json").stdout) == PREVIEWED


def test_nothing_that_runs_is_at_stake_in_a_prestage(gateway: Stub, belay: Belay) -> None:
    gateway.accept("POST /v1/operations", plan=[], point_of_no_return=None)
    told = belay("deployment", "plan", "oslo", "web", "--kind", "prestage", "--version", "2.0", "--force").stdout
    assert "nothing would change" in told
    assert "what runs stays as it is" in told
    assert gateway.sent("POST")[0].body["force"] is True


def test_a_plan_that_was_kept_tells_which_values_it_changed_and_what_was_left_out(gateway: Stub, belay: Belay) -> None:
    kept = {**WAY, "values": [{"path": "replicas", "before": "2", "after": "3"}], "notices": ["`old` is left out"]}
    gateway.answers["GET /v1/operations/o-1"] = 200, {**OPERATION, "plan": [kept]}
    last = {**OPERATION, "plan": [kept], "doing": []}
    gateway.answers["GET /v1/deployments/oslo/web"] = 200, {**DEPLOYMENT, "last": last}
    for asked in (("operation", "show", "o-1"), ("deployment", "show", "oslo", "web")):
        told = belay(*asked).stdout
        assert ["web", "replicas", "2", "3"] in [line.split() for line in told.splitlines()]
        assert "web note: `old` is left out" in told


def test_an_operation_may_wait_for_a_publication_and_stay_where_it_fails(gateway: Stub, belay: Belay) -> None:
    gateway.accept("POST /v1/operations")
    belay("operation", "run", "oslo", "web", "update", "--publication", "p-1", "--recover", "never")
    assert gateway.sent("POST")[0].body == {
        "site": "oslo", "app": "web", "kind": "update", "publication": "p-1", "recover": "never",
    }  # fmt: skip
    waits = {"operation_id": "o-1", "site": "oslo", "app": "web", "kind": "update", "state": "running"}
    waits |= {"phase": "upload", "publication": "p-1", "plan": [], "doing": [], "phases": []}
    gateway.answers["GET /v1/operations/o-1"] = 200, waits
    lines = belay("operation", "show", "o-1").stdout.splitlines()
    assert ["publication", "p-1"] in [line.split() for line in lines]
    assert line_of(waits) == "oslo: update running waits for publication p-1"
