"""How long people wait for the answer to a command, whatever others send meanwhile."""

from collections.abc import Iterable

from tests.faults.checker.reading import Evidence
from tests.faults.checker.record import is_id
from tests.faults.checker.rule_result import RuleResult
from tests.faults.evidence import KINDS

CALM_SECONDS = 10.0
"""Of time in which nothing disturbs: a command that waits longer than this is held up by somebody else's."""

AFTER_SECONDS = 10.0
"""So long after a disturbance it may still be overcome (recovery.LIMIT_SECONDS)."""

Span = tuple[float, float]


def commands_are_answered_in_time(evidence: Evidence) -> RuleResult:
    """The first answer to a command comes within 10 s in which no process, server or connection was disturbed.

    So no record holds up the commands of others: neither one that is refused for good, nor one that takes long to read.
    """
    result = RuleResult("commands_are_answered_in_time")
    sent: dict[tuple[str, str], float] = {}
    for topic in evidence.live:
        if topic.endswith(".commands"):
            for record in evidence.topics[topic]:
                if is_id(record.id) and record.place not in evidence.unreadable:
                    sent.setdefault((topic.split(".")[0], record.id), record.timestamp)
    spans = disturbed(evidence)
    for owner, records in evidence.answers.items():
        for record in records:
            asked = sent.pop((owner, record.body["command_id"]), None)
            if asked is not None:
                waited = record.timestamp - asked - overlap(spans, (asked, record.timestamp))
                detail = f"{owner} answered {waited:.1f} s of calm after it was asked"
                result.expect(waited <= CALM_SECONDS, record.body["command_id"], detail)
    return result


def disturbed(evidence: Evidence) -> list[Span]:
    """From when to when work may have stood still, in epoch seconds and in order."""
    return _joined(_disturbances(evidence))


def _disturbances(evidence: Evidence) -> Iterable[Span]:
    for fault in evidence.faults:
        if fault.kind not in KINDS or KINDS[fault.kind].disturbs:
            yield fault.at.timestamp(), (fault.ended_at or fault.at).timestamp() + AFTER_SECONDS


def _joined(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((begin, end))
    return joined


def overlap(spans: Iterable[Span], of: Span) -> float:
    """Seconds of a span that lie in any of those."""
    return sum(max(min(end, of[1]) - max(begin, of[0]), 0.0) for begin, end in spans)
