"""What was published is what was taken in: read models equal what they mirror, and people are told once."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.faults.checker.reading import Evidence
from tests.faults.checker.record import Record
from tests.faults.checker.verdict import Verdict

COUNTS = ("state", "waiting", "running", "complete", "failed", "aborted")

Rows = dict[Any, Any]


def mirrors_show_what_is(evidence: Evidence) -> Verdict:
    """Each read model has exactly the rows of its original: strategies, stages, steps, operations, sites, releases."""
    verdict = Verdict("mirrors_show_what_is")
    for what, original, mirror in _pairs(evidence):
        for key in original.keys() | mirror.keys():
            seen, is_ = mirror.get(key), original.get(key)
            verdict.expect(seen == is_, f"{what} {key}", f"is {is_}, is shown as {seen}")
    return verdict


def _pairs(evidence: Evidence) -> Iterator[tuple[str, Rows, Rows]]:
    """What is mirrored where: name, original, mirror."""
    orchestrator, gateway, deployer = "strategy_orchestrator", "gateway", "deployer"

    def rows(owner: str, table: str) -> list[dict[str, Any]]:
        return evidence.table(f"{owner}.{table}")

    yield (
        "strategy",
        {r["id"]: (r["name"], r["state"], bool(r["deleted_at"])) for r in rows(orchestrator, "strategy")},
        {r["strategy_id"]: (r["name"], r["state"], r["deleted"]) for r in rows(gateway, "strategy")},
    )
    yield "stage", _stages(rows(orchestrator, "stage")), _stages(rows(gateway, "stage"))
    yield "step", _steps(rows(orchestrator, "step")), _steps(rows(gateway, "step"))
    yield (
        "operation",
        {r["id"]: (r["site"], r["state"]) for r in rows(deployer, "operation")},
        {r["operation_id"]: (r["site"], r["state"]) for r in rows(gateway, "operation")},
    )
    groups = {r["name"]: (r["apply_type"], r["max_parallel"]) for r in rows(orchestrator, "site_group")}
    shown_groups = [r for r in rows(gateway, "site_group") if not r["removed"]]
    yield "group", groups, {r["name"]: (r["apply_type"], r["max_parallel"]) for r in shown_groups}
    sites = {r["name"]: r["managed"] for r in rows(orchestrator, "site")}
    yield "site of the page", sites, {r["name"]: r["managed"] for r in rows(gateway, "site") if not r["removed"]}
    yield (
        "site of the deployer",
        {r["name"]: (r["driver"], r["params"]) for r in rows(orchestrator, "site")},
        {r["name"]: (r["driver"], r["params"]) for r in rows(deployer, "site") if not r["gone"]},
    )
    releases = {(r["app"], r["version"]): r["withdrawn_reason"] is not None for r in rows("catalog", "release")}
    for owner in (orchestrator, deployer):
        yield (
            f"release of {owner}",
            releases,
            {(r["app"], r["version"]): r["withdrawn"] for r in rows(owner, "release")},
        )
    shown = {(r["app"], r["version"]): r["state"] == "withdrawn" for r in rows(gateway, "release")}
    yield "release of the page", releases, shown


def _stages(rows: list[dict[str, Any]]) -> Rows:
    return {(r["strategy_id"], r["position"]): tuple(r[name] for name in COUNTS) for r in rows}


def _steps(rows: list[dict[str, Any]]) -> Rows:
    return {(r["strategy_id"], r["site"]): (r["stage"], r["state"], r["attempt"]) for r in rows}


def the_stream_has_no_gap(evidence: Evidence) -> Verdict:
    """The page's own stream of events counts without a hole, so that whoever resumes it misses nothing."""
    verdict = Verdict("the_stream_has_no_gap")
    positions = sorted(row["position"] for row in evidence.table("gateway.event_log"))
    for before, position in pairwise(positions):
        verdict.expect(position == before + 1, f"position {position}", f"follows {before}")
    for counter in evidence.table("gateway.event_counter"):
        last = positions[-1] if positions else 0
        verdict.expect(counter["last"] == last, "the counter", f"says {counter['last']}, the last is {last}")
    return verdict


# -- notifications ------------------------------------------------------------------------------------------------

Note = tuple[str, str]
"""What it is about, and its topic."""

ENDS = {"complete": "done", "failed": "error", "aborted": "warning"}
ADVICE = ("monitor.events", "failure_rate_high", "strategy_silent")


def people_are_told_once(evidence: Evidence) -> Verdict:
    """One notification for each end of a strategy or single operation, and for each release: not none, not two.

    Changed sites are told of together, and warnings of the monitor are kept quiet for a while: of them not too many.
    """
    verdict = Verdict("people_are_told_once")
    wanted = Counter(note for note in _news(evidence) if note)
    told = Counter((row["about"], row["topic"]) for row in evidence.table("notifier.notification"))
    advice = Counter(record.body["strategy_id"] for record in evidence.named(*ADVICE))
    for about, topic in wanted.keys() | told.keys():
        few, many = wanted[about, topic], told[about, topic]
        if topic == "discover":
            changes = len(evidence.named("strategy.events", "sites_changed"))
            verdict.expect(min(changes, 1) <= many <= changes, about, f"{many} told of {changes} changes of sites")
        else:
            most = few + (advice[about] if topic == "warning" else 0)
            verdict.expect(few <= many <= most, f"{about} {topic}", f"told {many} times, should be {few} to {most}")
    _raised(verdict, evidence)
    return verdict


def _raised(verdict: Verdict, evidence: Evidence) -> None:
    """Stored, published and shown are the same notifications."""
    stored = {row["id"] for row in evidence.table("notifier.notification")}
    events = Counter(r.body["notification_id"] for r in evidence.named("notifier.events", "notification_raised"))
    shown = {row["notification_id"] for row in evidence.table("gateway.notification")}
    for number in stored | events.keys() | shown:
        seen = f"stored: {number in stored}, published {events[number]} times, shown: {number in shown}"
        verdict.expect(number in stored and number in shown and events[number] == 1, f"notification {number}", seen)


def _news(evidence: Evidence) -> Iterator[Note | None]:
    """What the notifier promises to tell of (its README)."""
    yield from (_of_strategy(r) for r in evidence.named("strategy.events", "strategy_state_changed"))
    for record in evidence.named("deployer.events", "operation_succeeded", "operation_failed"):
        if not record.body.get("strategy_id"):
            yield record.body["operation_id"], "done" if record.name == "operation_succeeded" else "error"
    for record in evidence.named("catalog.events", "release_available", "release_withdrawn", "release_rejected"):
        rejected = record.name == "release_rejected"
        yield record.body["bundle_sha256" if rejected else "release_id"], "error" if rejected else "release"


def _of_strategy(record: Record) -> Note | None:
    body = record.body
    if body["state"] == "paused" and body["why"]["code"] != "paused":
        return body["strategy_id"], "warning"
    topic = ENDS.get(body["state"])
    return (body["strategy_id"], topic) if topic else None
