"""Every site is where its strategy says: the devices, the deployer, the orchestrator, the topic and the page agree."""

from collections import defaultdict
from typing import Any

from tests.faults.checker.journal import runs
from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import operations, step_of

Where = tuple[str, str]
"""Site and app."""

SOUND = ("operational", "new", "removed")
"""Statuses that say for certain what runs; after any other somebody has to look."""


def devices_run_what_is_said(evidence: Evidence) -> RuleResult:
    """On a site whose deployment is sound, every device runs its release; where nothing is deployed, none runs any."""
    result = RuleResult("devices_run_what_is_said")
    running: dict[Where, set[str | None]] = defaultdict(set)
    for (site, app, _), version in runs(evidence).items():
        running[site, app].add(version)
    simulated = {row["name"] for row in evidence.table("deployer.site") if "simulated" in row["connections"]}
    for row in evidence.table("deployer.deployment"):
        if row["status"] in SOUND and row["site"] in simulated:
            found = running[row["site"], row["app"]] - ({None} if row["version"] is None else set())
            wanted = set() if row["version"] is None else {row["version"]}
            detail = f"{row['status']} {row['version']}, its devices run {sorted(map(str, found))}"
            result.expect(found == wanted, f"{row['site']} {row['app']}", detail)
    return result


def everybody_says_the_same_of_a_site(evidence: Evidence) -> RuleResult:
    """Deployer, orchestrator, the last `site.state` and the page name one version, status and operation.

    Where the deployer names a prestage the others name the operation before it: it changed nothing that runs.
    """
    result = RuleResult("everybody_says_the_same_of_a_site")
    truth = _deployments(evidence, "deployer.deployment")
    prestages = {row["id"] for row in evidence.table("deployer.operation") if row["kind"] == "prestage"}
    others = {
        "the orchestrator": _deployments(evidence, "strategy_orchestrator.deployment"),
        "the page": _deployments(evidence, "gateway.deployment"),
        "site.state": _last_states(evidence),
    }
    ended = {operation.id for operation in operations(evidence).values() if operation.ends}
    for where in set(truth).union(*others.values()):
        said = truth.get(where)
        if said and said[2] not in ended:
            result.refuse(" ".join(where), f"the operation {said[2]} that brought it here never ended")
        for who, they in others.items():
            found = they.get(where)
            if said and said[2] in prestages and (found or said[0] is None):
                result.expect(found is None or found[:2] == said[:2], " ".join(where), f"{said}, {who} {found}")
                continue
            result.expect(found == said, " ".join(where), f"the deployer says {said}, {who} {found}")
    return result


def _deployments(evidence: Evidence, table: str) -> dict[Where, tuple[Any, ...]]:
    rows = evidence.table(table)
    return {(r["site"], r["app"]): (r["version"], r["status"], r["operation_id"]) for r in rows}


def _last_states(evidence: Evidence) -> dict[Where, tuple[Any, ...]]:
    last: dict[Where, tuple[Any, ...]] = {}
    for record in sorted(evidence.events.get("site.state", ()), key=lambda record: record.sequence):
        body = record.body
        last[body["site"], body["app"]] = (body["version"], body["status"], body["operation_id"])
    return last


def sites_end_as_their_steps_say(evidence: Evidence) -> RuleResult:
    """Where the last operation was a step's: complete means the release of the strategy, failed means none of it."""
    result = RuleResult("sites_end_as_their_steps_say")
    strategies = {row["id"]: row for row in evidence.table("strategy_orchestrator.strategy")}
    steps = {(r["strategy_id"], r["position"]): r for r in evidence.table("strategy_orchestrator.step")}
    ends = {o.id: o.ends[0] for o in operations(evidence).values() if o.ends}
    for row in evidence.table("strategy_orchestrator.deployment"):  # which names no prestage
        step = step_of(row["operation_id"])
        if step is None or (step.strategy, step.position) not in steps or step.strategy not in strategies:
            continue
        row_of_step = steps[step.strategy, step.position]
        state, own = row_of_step["state"], row_of_step.get("target")
        wanted = own or strategies[step.strategy]["version"] or ends.get(row["operation_id"], {}).get("to_version")
        fault = _fault(state, wanted, row, ends.get(row["operation_id"]))
        result.expect(not fault, f"{row['site']} {row['app']}", fault)
    return result


def _fault(state: str, wanted: str | None, row: dict[str, Any], end: dict[str, Any] | None) -> str:
    if state == "complete":
        status = "operational" if wanted else "removed"
        there = row["status"] == status and row["version"] == wanted
        return "" if there else f"its step is complete with {wanted}, it is {row['status']} with {row['version']}"
    if state == "failed" and end and end.get("recovered") and row["version"] != end["from_version"]:
        return f"its step failed and was recovered to {end['from_version']}, it is on {row['version']}"
    return ""
