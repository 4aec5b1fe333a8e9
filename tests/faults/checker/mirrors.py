"""What was published is what was taken in: read models equal what they mirror, and people are told once."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.faults.checker.reading import Evidence
from tests.faults.checker.record import Record
from tests.faults.checker.rule_result import RuleResult
from tests.faults.checker.story import operations

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """What a table says: of which key, what, and by which column a row counts as gone."""

    table: str
    key: tuple[str, ...]
    says: Callable[[Row], Any]
    gone: str = ""

    def of(self, evidence: Evidence) -> dict[tuple[Any, ...], Any]:
        """What each key says."""
        rows = (row for row in evidence.table(self.table) if not (self.gone and row[self.gone]))
        return {tuple(row[name] for name in self.key): self.says(row) for row in rows}


def columns(*names: str) -> Callable[[Row], Any]:
    """These columns, as they are."""
    return lambda row: [row[name] for name in names]


COUNTS = columns("state", "waiting", "running", "complete", "failed", "aborted")
STEP = columns("stage", "state", "attempt")
GROUP = columns("apply_type", "max_parallel")
PLACE = columns("connections", "managed", "maintenance")
RELEASE = View("catalog.release", ("app", "version"), lambda row: row["withdrawn_reason"] is not None)

MIRRORS: tuple[tuple[View, View], ...] = (
    (
        View("strategy_orchestrator.strategy", ("id",), lambda r: [r["name"], r["state"], r["deleted_at"] is not None]),
        View("gateway.strategy", ("strategy_id",), columns("name", "state", "deleted")),
    ),
    (
        View("strategy_orchestrator.stage", ("strategy_id", "position"), COUNTS),
        View("gateway.stage", ("strategy_id", "position"), COUNTS),
    ),
    (
        View("strategy_orchestrator.step", ("strategy_id", "site"), STEP),
        View("gateway.step", ("strategy_id", "site"), STEP),
    ),
    (
        View("deployer.operation", ("id",), columns("site", "state")),
        View("gateway.operation", ("operation_id",), columns("site", "state")),
    ),
    (
        View("strategy_orchestrator.site_group", ("name",), GROUP),
        View("gateway.site_group", ("name",), GROUP, gone="removed"),
    ),
    (
        View("strategy_orchestrator.site", ("name",), columns("managed", "maintenance")),
        View("gateway.site", ("name",), columns("managed", "maintenance"), gone="removed"),
    ),
    (
        View("strategy_orchestrator.site", ("name",), PLACE),
        View("deployer.site", ("name",), PLACE, gone="gone"),
    ),
    (RELEASE, View("strategy_orchestrator.release", RELEASE.key, lambda row: row["withdrawn"])),
    (RELEASE, View("deployer.release", RELEASE.key, lambda row: row["withdrawn"])),
    (RELEASE, View("gateway.release", RELEASE.key, lambda row: row["state"] == "withdrawn")),
)
"""The original, and who shows it."""


def mirrors_show_what_is(evidence: Evidence) -> RuleResult:
    """Each read model has exactly the rows of its original: strategies, stages, steps, operations, sites, releases."""
    result = RuleResult("mirrors_show_what_is")
    for original, mirror in MIRRORS:
        truth, shown = original.of(evidence), mirror.of(evidence)
        for key in truth.keys() | shown.keys():
            detail = f"{original.table} says {truth.get(key)}, {mirror.table} {shown.get(key)}"
            result.expect(truth.get(key) == shown.get(key), " ".join(map(str, key)), detail)
    return result


def the_stream_has_no_gap(evidence: Evidence) -> RuleResult:
    """The page's own stream of events counts without a hole, so that whoever resumes it misses nothing."""
    result = RuleResult("the_stream_has_no_gap")
    positions = sorted(row["position"] for row in evidence.table("gateway.event_log"))
    for before, position in pairwise(positions):
        result.expect(position == before + 1, f"position {position}", f"follows {before}")
    for counter in evidence.table("gateway.event_counter"):
        last = positions[-1] if positions else 0
        result.expect(counter["last"] == last, "the counter", f"says {counter['last']}, the last is {last}")
    return result


# -- notifications ------------------------------------------------------------------------------------------------

Note = tuple[str, str]
"""What it is about, and its topic."""

ENDS = {"complete": "done", "failed": "error", "aborted": "warning"}
RUNS = {"done": "done", "failed": "error", "aborted": "warning"}
STRATEGY_MOVED = "strategy_state_changed"
TOGETHER_SECONDS = 300
"""No batch is open for longer (notifier/rules.py)."""
TROUBLES = {"trouble_found": "error", "trouble_over": "done"}
ADVICE = ("monitor.events", "failure_rate_high", "strategy_silent")


def people_are_told_once(evidence: Evidence) -> RuleResult:
    """One notification for each end of a strategy or single operation, and for each release: not none, not two.

    Where many of a kind came at once one notification speaks for several of them, and says of how many: what came twice
    among them counts once. Changed sites are told of together, and what the monitor says of stages and services is kept
    quiet for a while: not too many.
    """
    result = RuleResult("people_are_told_once")
    news = [(note, record) for note, record in _news(evidence) if note]
    wanted, each_once = Counter(note for note, _ in news), _without_repeats(news)
    rows = [row for row in evidence.table("notifier.notification") if not _of_standing(row)]
    told = Counter((row["about"], row["topic"]) for row in rows if row.get("count", 1) == 1)
    advice = Counter(record.body["strategy_id"] for record in evidence.named(*ADVICE))
    webhooks = {row["name"] for row in evidence.table("notifier.subscription")}  # that one died is told too
    troubles = Counter((r.body["service"], TROUBLES[r.name]) for r in evidence.named("monitor.events", *TROUBLES))
    barred = Counter(_release(r) for r in evidence.named("deployer.events", "failed_release_changed"))
    gathered = Counter[str]()
    for row in rows:
        gathered[row["topic"]] += row["count"] if row.get("count", 1) > 1 else 0
    least: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for about, topic in wanted.keys() | told.keys():
        few, many = wanted[about, topic], told[about, topic]
        if topic != "discover":
            most = few + (advice[about] if topic == "warning" else 0) + (about in webhooks)
            most += troubles[about, topic] + (barred[about] if topic == "error" else 0)
            result.expect(many <= most, f"{about} {topic}", f"told {many} times, should be at most {most}")
            missing[topic] += max(0, few - many)
            least[topic] += max(0, each_once[about, topic] - many)
    for topic in ("done", "error", "warning", "release"):
        together = gathered[topic]
        detail = f"{together} are told of together; {missing[topic]} were not told of alone, at least {least[topic]}"
        result.expect(least[topic] <= together <= missing[topic], topic, f"{detail} for the first time")
    changes = len(evidence.named("strategy.events", "sites_changed"))
    many = sum(row["topic"] == "discover" for row in rows)
    result.expect(many <= changes and (many or not changes), "discover", f"{many} told of {changes} changes of sites")
    _raised(result, evidence)
    return result


def _of_standing(row: Row) -> bool:
    """Whether it tells how a site is, or how many are: these are told together, each site once."""
    of_a_site = row["topic"] != "discover" and row["link"] == f"/v1/sites/{row['about']}"
    return of_a_site or row["about"] in ("offline", "online", "alarms", "drift")


def _release(record: Record) -> str:
    """As it is called where somebody is told that it is barred; what was told a while ago is not told again."""
    return f"{record.body['app']} {record.body['version']}"


def _raised(result: RuleResult, evidence: Evidence) -> None:
    """Stored, published and shown are the same notifications."""
    stored = {row["id"] for row in evidence.table("notifier.notification")}
    events = Counter(r.body["notification_id"] for r in evidence.named("notifier.events", "notification_raised"))
    shown = {row["notification_id"] for row in evidence.table("gateway.notification")}
    for number in stored | events.keys() | shown:
        seen = f"stored: {number in stored}, published {events[number]} times, shown: {number in shown}"
        result.expect(number in stored and number in shown and events[number] == 1, f"notification {number}", seen)


def _news(evidence: Evidence) -> Iterator[tuple[Note | None, Record]]:
    """What the notifier promises to tell of (its README)."""
    yield from ((_of_strategy(r), r) for r in evidence.named("strategy.events", "strategy_state_changed"))
    of_runs = {identifier for identifier, operation in operations(evidence).items() if operation.of_run}
    for record in evidence.named("deployer.events", "operation_succeeded", "operation_failed"):
        if record.name == "operation_succeeded" and record.body["operation_id"] in of_runs:
            continue  # the run speaks for it
        if not record.body.get("strategy_id"):
            yield (record.body["operation_id"], "done" if record.name == "operation_succeeded" else "error"), record
    for record in evidence.named("catalog.events", "release_available", "release_withdrawn", "release_rejected"):
        rejected = record.name == "release_rejected"
        about = record.body["bundle_sha256" if rejected else "release_id"]
        yield (about, "error" if rejected else "release"), record
    for record in evidence.named("catalog.events", "release_deleted", "release_deletion_refused"):
        yield (record.body["release_id"], "release" if record.name == "release_deleted" else "warning"), record
    for record in evidence.named("deployer.events", "site_run_changed"):
        if record.body["finished_at"] and not record.body["run_id"].endswith(".first"):
            yield (record.body["run_id"], RUNS[record.body["state"]]), record


def _without_repeats(news: Iterable[tuple[Note, Record]]) -> Counter[Note]:
    """How often each is to be told of at least: one batch tells once what comes twice while it is open.

    A strategy that fails or stops waits for somebody, and is never told of together with others.
    """
    found = Counter[Note]()
    before: dict[tuple[Note, str], float] = {}
    for note, record in news:
        last = before.get((note, record.name), -TOGETHER_SECONDS)
        if record.timestamp - last >= TOGETHER_SECONDS or (record.name == STRATEGY_MOVED and note[1] != "done"):
            found[note] += 1
            before[note, record.name] = record.timestamp
    return found


def _of_strategy(record: Record) -> Note | None:
    body = record.body
    if body.get("renewed"):
        return None  # the same state, its reason in other numbers
    if body["state"] == "paused" and body["why"]["code"] != "paused":
        return body["strategy_id"], "warning"
    topic = ENDS.get(body["state"])
    return (body["strategy_id"], topic) if topic else None
