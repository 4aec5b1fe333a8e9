"""Processes end by what was done to them, and never by themselves."""

from collections import defaultdict
from datetime import timedelta

from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult
from tests.faults.evidence import End, Fault

KILLED = -9
ENDS: dict[str, frozenset[int]] = {
    "kill_service": frozenset({KILLED}),
    "kill_at_point": frozenset({KILLED}),
    "leave_replica": frozenset({0}),
    "kill_kafka": frozenset({KILLED}),
    "stop_postgres": frozenset({0, 1, 2, 3}),
}
"""Which faults end a process, and with which status: a service that dies of an error of its own is not excused by the
fault that was about to kill it."""

SLACK = timedelta(seconds=3)
"""Between the death of a process and what is noted of it; two faults of one process are further apart than this."""


def no_process_ends_by_itself(evidence: Evidence) -> RuleResult:
    """Each end of a process since the run began is the work of one fault, which ends no second one."""
    result = RuleResult("no_process_ends_by_itself")
    deadly: dict[str, list[Fault]] = defaultdict(list)
    for fault in evidence.faults:
        if fault.kind in ENDS:
            deadly[fault.target].append(fault)
    for end in sorted(evidence.ends, key=lambda end: end.at):
        if end.at < evidence.run.started_at:
            continue
        result.checked += 1
        found = next((f for f in deadly[end.process] if _explains(f, end)), None)
        if found is None:
            result.refuse(end.process, f"ended by itself with status {end.status} at {end.at:%H:%M:%S.%f}")
        else:
            deadly[end.process].remove(found)
    return result


def _explains(fault: Fault, end: End) -> bool:
    there = fault.at - SLACK <= end.at <= (fault.ended_at or fault.at) + SLACK
    return there and end.status in ENDS[fault.kind]
