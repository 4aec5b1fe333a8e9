"""Evidence that lacks something proves nothing: a rule that finds nothing to look at would be content."""

from collections import defaultdict

from tests.faults.checker.ending import SERVICES
from tests.faults.checker.reading import DLQ, Evidence
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.schemas import published

CORE = ("consumed", "inbox", "outbox", "timer", "job")
"""The tables that every service has."""

COMPACTED = {"site.state", "deployer.facts"}


def evidence_is_whole(evidence: Evidence) -> RuleResult:
    """Every topic, table and log is there, each partition from its first record on, and all had come to rest before."""
    result = RuleResult("evidence_is_whole")
    result.expect(evidence.run.quiescent, "the run", "had not come to rest; what is wrong may only be unfinished")
    topics = {known.topic for known in published().values()}
    for topic in sorted(topics | {topic + DLQ for topic in topics}):
        result.expect(topic in evidence.topics, f"topics/{topic}", "is missing")
    for table in (f"{service}.{name}" for service in SERVICES for name in CORE):
        result.expect(table in evidence.tables, f"tables/{table}", "is missing")
    for service in (*SERVICES, "monitor"):
        there = any(name.startswith(f"{service}-") for name in evidence.logs)
        result.expect(there, f"logs/{service}", "there is no log of this service")
    _partitions(result, evidence)
    return result


def _partitions(result: RuleResult, evidence: Evidence) -> None:
    offsets: dict[tuple[str, int], set[int]] = defaultdict(set)
    for topic in evidence.topics.keys() - COMPACTED:
        for record in evidence.topics[topic]:
            offsets[topic, record.partition].add(record.offset)
    for (topic, partition), found in offsets.items():
        missing = sorted(set(range(max(found) + 1)) - found)
        result.expect(not missing, f"topics/{topic}", f"partition {partition} lacks the offsets {missing[:10]}")
