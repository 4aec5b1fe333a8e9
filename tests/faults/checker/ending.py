"""In the end nothing is left to do: all was sent, read, worked on and let go, and every strategy has ended."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from tests.faults.checker.reading import Evidence
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import OVER

SERVICES = ("catalog", "deployer", "strategy_orchestrator", "notifier", "gateway")
GRACE = timedelta(seconds=20)
"""The services are stopped before the evidence is collected; what became due meanwhile is nobody's fault."""


def nothing_is_left_over(evidence: Evidence) -> RuleResult:
    """No record lies in an outbox, no job is claimed or due, no operation open, no command of people unanswered."""
    result = RuleResult("nothing_is_left_over")
    due = _due_by(evidence)
    for service in SERVICES:
        outbox, jobs = evidence.table(f"{service}.outbox"), evidence.table(f"{service}.job")
        result.expect(not outbox, f"{service}.outbox", f"{len(outbox)} rows were not sent")
        late = [job["id"] for job in jobs if job["owner"] or _time(job["due_at"]) < due]
        refused = evidence.table(f"{service}.refused_record")
        result.expect(not refused, f"{service}.refused_record", f"{len(refused)} records were refused by Kafka")
        result.expect(not late, f"{service}.job", f"{len(late)} jobs are claimed or due: {late[:10]}")
    for row in evidence.table("deployer.operation"):
        result.expect(row["finished_at"], row["id"], f"operation is {row['state']}")
    for row in evidence.table("gateway.command"):
        result.expect(row["state"] != "sent", row["command_id"], f"{row['type']} was sent and not answered")
    for row in evidence.table("catalog.bundle"):
        result.expect(row["state"] != "validating", row["sha256"], "the bundle is still being validated")
    _deliveries(result, evidence)
    return result


def _deliveries(result: RuleResult, evidence: Evidence) -> None:
    """A delivery that waits needs a job, its own or that of the one before it."""
    jobs = {job["id"].rpartition(":")[2] for job in evidence.table("notifier.job")}
    for row in evidence.table("notifier.delivery"):
        waits = row["state"] in ("waiting", "queued")
        result.expect(
            not waits or row["subscription"] in jobs, row["id"], f"is {row['state']}, and no job will end that"
        )


def no_timer_is_overdue(evidence: Evidence) -> RuleResult:
    """Whatever was to happen at a time has happened."""
    result = RuleResult("no_timer_is_overdue")
    due = _due_by(evidence)
    for service in SERVICES:
        for timer in evidence.table(f"{service}.timer"):
            subject = f"{service} {timer['kind']}/{timer['key']}"
            result.expect(_time(timer["due_at"]) >= due, subject, f"was due at {timer['due_at']}")
    return result


def _due_by(evidence: Evidence) -> datetime:
    return (evidence.run.collected_at or evidence.run.ended_at) - GRACE


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def everything_was_read(evidence: Evidence) -> RuleResult:
    """Each service stands at the end of every partition that it reads: no record unread, none lost that it had read."""
    result = RuleResult("everything_was_read")
    ends: dict[tuple[str, int], int] = {}
    for topic in evidence.live:
        for record in evidence.topics[topic]:
            place = topic, record.partition
            ends[place] = max(ends.get(place, 0), record.offset + 1)
    for service in SERVICES:
        stands = {
            (_topic(evidence, r["topic"]), r["part"]): r["next_offset"] for r in evidence.table(f"{service}.consumed")
        }
        reads = {topic for topic, _ in stands}
        for place in stands.keys() | {place for place in ends if place[0] in reads}:
            at, end = stands.get(place, 0), ends.get(place, 0)
            result.expect(at == end, f"{service} {place[0]}/{place[1]}", f"reads on at {at}, the end is {end}")
    return result


def _topic(evidence: Evidence, name: str) -> str:
    """A topic without the prefix of its run."""
    return next((topic for topic in evidence.live if name.endswith(f".{topic}")), name)


def every_strategy_has_ended(evidence: Evidence) -> RuleResult:
    """Each is complete, failed or aborted, or was never applied; so are its steps. What the run asked for is there."""
    result = RuleResult("every_strategy_has_ended")
    rows = {row["id"]: row for row in evidence.table("strategy_orchestrator.strategy")}
    refused = {r.body["command_id"] for r in evidence.answers.get("strategy", ()) if r.name == "command_rejected"}
    steps: dict[str, set[str]] = defaultdict(set)
    for step in evidence.table("strategy_orchestrator.step"):
        steps[step["strategy_id"]].add(step["state"])
    for identifier, row in rows.items():
        never = row["state"] in ("ready", "aborted") and row["started_at"] is None
        ended = row["state"] in OVER and steps[identifier] <= set(OVER)
        result.expect(never or ended, identifier, f"is {row['state']}, its steps are {sorted(steps[identifier])}")
    for asked in evidence.run.strategies:
        result.expect(asked.id in rows or asked.id in refused, asked.id, f"strategy {asked.name} was lost")
    return result


def no_site_is_held(evidence: Evidence) -> RuleResult:
    """When its strategy has ended, nobody holds a site: not the orchestrator, nor the deployer, nor the page."""
    result = RuleResult("no_site_is_held")
    alive = {r["id"] for r in evidence.table("strategy_orchestrator.strategy") if r["state"] not in OVER}
    holders: list[tuple[str, str, str | None]] = [
        *_holders(evidence, "strategy_orchestrator.hold", "site", "strategy_id"),
        *_shown_holders(evidence),
        *_holders(evidence, "deployer.hold", "site", "strategy_id"),
    ]
    for table, site, holder in holders:
        result.expect(not holder or holder in alive, site, f"{table}: held by {holder}, which has ended")
    for row in evidence.table("strategy_orchestrator.site"):
        result.expect(not row["operation_id"], row["name"], f"counts as busy with {row['operation_id']}")
    return result


def _holders(evidence: Evidence, table: str, site: str, holder: str) -> list[tuple[str, str, Any]]:
    return [(table, row[site], row[holder]) for row in evidence.table(table)]


def _shown_holders(evidence: Evidence) -> list[tuple[str, str, Any]]:
    """Who holds a site as the page shows it: the strategy that took it last, unless it let go since."""
    ends = {row["strategy_id"]: row["seq"] for row in evidence.table("gateway.hold_end")}
    rows = evidence.table("gateway.hold")
    return [("gateway.hold", r["site"], r["strategy_id"]) for r in rows if r["seq"] > ends.get(r["strategy_id"], 0)]
