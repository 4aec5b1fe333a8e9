"""Runs over all apps of a site end once, with a report that is true."""

from collections import defaultdict
from typing import Any

from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import operations

OVER = ("done", "failed", "aborted")


def runs_end_with_one_report(evidence: Evidence) -> RuleResult:
    """Each run that was accepted tells how it goes in numbers without a gap, and of its end once, with the last word.

    In it each app is updated, failed or left, as its operation ended; the row of the run says the same.
    """
    result = RuleResult("runs_end_with_one_report")
    said: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for record in evidence.named("deployer.events", "site_run_changed"):
        said[record.body["run_id"]][record.body["nth"]] = record.body
    rows = {row["id"]: row for row in evidence.table("deployer.site_run")}
    ends = {key: one.ends[0] for key, one in operations(evidence).items() if one.ends}
    for run in rows.keys() | said.keys() | _accepted(evidence):
        fault = _fault(rows.get(run), said[run], ends)
        result.expect(not fault, run, fault)
    return result


def _accepted(evidence: Evidence) -> set[str]:
    return {
        answer.body["command_id"]
        for answer in evidence.answers.get("deployer", ())
        if answer.name == "command_accepted" and answer.body["command_type"].endswith(".request_all.v1")
    }


def _fault(row: dict[str, Any] | None, said: dict[int, dict[str, Any]], ends: dict[str, dict[str, Any]]) -> str:
    if row is None or not said:
        return f"row: {row is not None}, {len(said)} times told of"
    numbers, last = sorted(said), said[max(said)]
    if numbers != list(range(1, row["nth"] + 1)):
        return f"changed {row['nth']} times, and {numbers} were told"
    reports = [number for number, body in said.items() if body["finished_at"]]
    if reports != [numbers[-1]] or (last["state"], row["state"]) != (row["state"], last["state"]):
        return f"its row is {row['state']}, reports are {reports} of {numbers[-1]}, the last says {last['state']}"
    if last["state"] not in OVER:
        return f"ended as {last['state']}"
    return next((fault for item in last["items"] if (fault := _of_item(item, ends))), "")


def _of_item(item: dict[str, Any], ends: dict[str, dict[str, Any]]) -> str:
    state, operation = item["state"], item["operation_id"]
    if state in ("waiting", "running"):
        return f"{item['app']} is {state} in the report"
    if operation is None:
        return f"{item['app']} is updated by no operation" if state == "updated" else ""
    if operation not in ends:
        return f"{operation} never ended"
    good = "updated" if ends[operation]["succeeded"] else "failed"
    return "" if state == good else f"{item['app']} is {state}, and {operation} {good}"
