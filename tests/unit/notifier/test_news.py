"""What people are told, and what they are spared."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.notifier import rules
from services.notifier.rules import (
    RULES,
    failure_of,
    note_of,
    notes_of_availability,
    notes_of_drift,
    notes_of_sites,
    summary_of,
)
from shared.messages.base import Fault
from shared.messages.catalog import PreparationFailed, ReleaseRejected, ReleaseWithdrawn
from shared.messages.deployer import (
    AvailabilityChanged,
    Cause,
    DriftFound,
    FailedReleaseChanged,
    OperationFailed,
    OperationSucceeded,
    SiteAvailability,
    SiteRunChanged,
)
from shared.messages.monitor import FailureRateHigh, StrategySilent, TroubleFound, TroubleOver
from shared.messages.strategy import AlarmRaised, Counts, Site, SitesChanged, StrategyStateChanged, Why
from shared.messages.words import NotificationTopic, Severity, StrategyState

NOW = datetime(2026, 10, 1, tzinfo=UTC)
OPERATION: dict[str, Any] = {
    "operation_id": "op-1",
    "site": "oslo-1",
    "app": "datasette",
    "kind": "update",
    "from_version": "1.0",
    "to_version": "2.0",
    "seconds": 3.0,
}


def strategy(state: StrategyState, code: str) -> StrategyStateChanged:
    counts = Counts(complete=9, failed=3)
    why = Why(code=code, message="so it is")
    return StrategyStateChanged(strategy_id="s-1", name="spring", state=state, why=why, counts=counts, at=NOW)


def silent(stage: int = 1) -> StrategySilent:
    return StrategySilent(strategy_id="s-1", stage=stage, silent_seconds=300, running=1, at=NOW)


def test_a_trouble_of_belay_itself_is_told_with_its_cause_and_what_to_do_and_its_end_too() -> None:
    facts = {"trouble_id": "t-1", "service": "strategy_orchestrator", "code": "partition_stalled", "about": "t/0"}
    found = TroubleFound(**facts, message="3 records wait; nobody owns it", advice="read its log", since=NOW, at=NOW)
    note = note_of(found, {})
    assert note is not None
    assert (note.topic, note.link) == (NotificationTopic.ERROR, "/v1/system")
    assert note.message == ("Belay's strategy orchestrator: 3 records wait; nobody owns it. What to do: read its log")
    over = note_of(TroubleOver(**facts, found_at=NOW, at=NOW + timedelta(minutes=7)), {})
    assert over is not None
    assert (over.topic, over.message) == (
        NotificationTopic.DONE,
        "Belay's strategy orchestrator: over after 7 min: partition stalled (t/0)",
    )
    assert note.quiet_key != over.quiet_key
    assert over.ends_quiet == note.quiet_key, "what was over and comes back is told at once"


def test_a_single_operation_that_succeeds_is_done() -> None:
    event = OperationSucceeded(**OPERATION, version="2.0", status="operational")
    note = note_of(event, {})
    assert note is not None
    assert (note.topic, note.about) == (NotificationTopic.DONE, "op-1")
    assert note.message == "The update of datasette on oslo-1 succeeded: it runs 2.0"


def test_a_first_deployment_that_fails_leaves_nothing_to_be_back_on() -> None:
    cause = Cause(code="x", message="y")
    event = OperationFailed(**OPERATION, version=None, status="removed", recovered=True, cause=cause)
    note = note_of(event, {})
    assert note is not None
    assert note.message.endswith("nothing of it is left on the site")


@pytest.mark.parametrize(("recovered", "ending"), [(True, "back on 1.0"), (False, "NOT recovered")])
def test_a_single_operation_that_fails_says_whether_the_site_was_caught(recovered: bool, ending: str) -> None:
    cause = Cause(code="unhealthy", message="it answers as 1.9")
    event = OperationFailed(**OPERATION, version="1.0", status="operational", recovered=recovered, cause=cause)
    note = note_of(event, {})
    assert note is not None
    assert note.topic is NotificationTopic.ERROR
    assert note.message.endswith(ending)


def test_operations_of_a_strategy_are_spared_because_the_strategy_speaks_for_them() -> None:
    cause = Cause(code="x", message="y")
    facts = {**OPERATION, "status": "operational", "strategy_id": "s-1", "version": "2.0"}
    assert note_of(OperationSucceeded(**facts), {}) is None
    assert note_of(OperationFailed(**facts, recovered=True, cause=cause), {}) is None


@pytest.mark.parametrize(
    ("state", "code", "topic"),
    [
        (StrategyState.READY, "not_started", None),
        (StrategyState.APPLYING, "applying", None),
        (StrategyState.ABORTING, "aborted", None),
        (StrategyState.PAUSED, "paused", None),
        (StrategyState.PAUSED, "failure_threshold", NotificationTopic.WARNING),
        (StrategyState.COMPLETE, "complete", NotificationTopic.DONE),
        (StrategyState.FAILED, "failure_threshold", NotificationTopic.ERROR),
        (StrategyState.ABORTED, "aborted", NotificationTopic.WARNING),
    ],
)
def test_a_strategy_speaks_when_it_ends_and_when_a_policy_pauses_it(
    state: StrategyState, code: str, topic: NotificationTopic | None
) -> None:
    note = note_of(strategy(state, code), {})
    assert (note.topic if note else None) is topic


def test_a_strategy_says_why_and_how_many() -> None:
    note = note_of(strategy(StrategyState.FAILED, "x"), {})
    assert note is not None
    assert note.message == "Strategy spring is failed: so it is (9 of 12 sites done, 3 failed)"


def test_a_rejected_bundle_names_its_first_fault_and_how_many_more() -> None:
    faults = (Fault(code="a", field="", message="no manifest"), Fault(code="b", field="", message="too big"))
    note = note_of(ReleaseRejected(bundle_sha256="0" * 64, file_name="x.tgz", faults=faults), {})
    assert note is not None
    assert note.message == "Bundle x.tgz was rejected: no manifest (and 1 more faults)"


def test_a_release_that_could_not_be_prepared_says_why_unless_somebody_withdrew_it() -> None:
    about = {"app": "web", "version": "1.0", "bundle_sha256": "0" * 64, "failed_at": NOW}
    note = note_of(PreparationFailed(**about, cause=Cause(code="disk_full", message="no room")), {})
    assert note is not None
    assert note.message == "Release 1.0 of web could not be prepared for sites: no room"
    assert note_of(PreparationFailed(**about, cause=Cause(code="release_withdrawn", message="gone")), {}) is None


def test_a_withdrawn_release_says_the_reason() -> None:
    note = note_of(ReleaseWithdrawn(release_id="r", app="web", version="1.0", reason="it leaks"), {})
    assert note is not None
    assert (note.topic, note.message) == (NotificationTopic.RELEASE, "Release 1.0 of web was withdrawn: it leaks")


def test_warnings_name_the_strategy_where_it_is_known_and_count_stages_from_one() -> None:
    note = note_of(silent(), {"s-1": "spring"})
    unknown = note_of(silent(), {})
    assert note is not None
    assert unknown is not None
    assert "stage 2 of strategy spring for 300 seconds, with 1 site still running" in note.message
    assert "strategy s-1" in unknown.message


def test_warnings_of_one_stage_and_kind_share_their_quiet_and_others_do_not() -> None:
    failing = FailureRateHigh(
        strategy_id="s-1",
        stage=1,
        failure_rate=0.5,
        finished_in_window=8,
        failed_in_window=4,
        window_seconds=60,
        at=NOW,
    )
    keys = {note.quiet_key for event in (silent(), silent(), silent(2), failing) if (note := note_of(event, {}))}
    assert len(keys) == 3


def test_each_site_of_a_change_is_a_note_to_be_gathered() -> None:
    notes = notes_of_sites(SitesChanged(sites=(Site(name="a"), Site(name="b"))))
    assert [note.item for note in notes] == ["a", "b"]
    assert summary_of("sites", notes, 10_000).message == "10,000 sites registered or changed: a, b and others"
    assert summary_of("sites", notes, 2).message == "2 sites registered or changed: a, b"


def test_what_failed_is_told_with_its_evidence_alone_and_gathered() -> None:
    event = OperationFailed(
        **OPERATION, version="1.0", status="operational", recovered=True, cause=Cause(code="x", message="y"),
        last_lines=("web: begins", "web: dies"),
    )  # fmt: skip
    note = note_of(event, {})
    assert note is not None
    assert note.failures == (failure_of(event),)
    assert note.failures[0].last_lines == event.last_lines
    together = summary_of("failed", [note] * 3, 412)
    assert together.message == (
        "412 more operations failed: datasette on oslo-1, datasette on oslo-1, datasette on oslo-1 and others"
    )
    assert (together.count, len(together.failures)) == (412, 3)


def test_strategies_that_wait_for_somebody_are_never_gathered() -> None:
    for state in (StrategyState.FAILED, StrategyState.ABORTED, StrategyState.PAUSED):
        note = note_of(strategy(state, "failure_threshold"), {})
        assert note is not None
        assert note.family == ""


def test_every_rule_is_for_an_event_and_gives_a_link() -> None:
    assert all(kind.NEWER is None for kind in RULES)
    note = note_of(strategy(StrategyState.COMPLETE, "complete"), {})
    assert note is not None
    assert note.link == "/v1/strategies/s-1"


def answering(availability: str, was: str, message: str = "") -> AvailabilityChanged:
    cause = Cause(code="refused", message=message) if message else None
    facts = {"site": "oslo", "availability": availability, "was": was, "since": NOW, "cause": cause, "nth": 1}
    return AvailabilityChanged(bucket=1, sites=(SiteAvailability.model_validate(facts),), at=NOW)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (answering("offline", "online", "no route"), (NotificationTopic.WARNING, "Site oslo is offline: no route")),
        (answering("offline", "unknown", "no route"), (NotificationTopic.WARNING, "Site oslo is offline: no route")),
        (answering("online", "offline"), (NotificationTopic.DONE, "Site oslo is online again")),
        (answering("online", "unknown"), None),
        (answering("online", "online", "once"), None),
        (answering("offline", "offline", "another cause"), None),
        (answering("asleep", "online"), None),  # a word of a newer version
    ],
)
def test_a_site_that_goes_offline_or_comes_back_is_news_and_nothing_else_of_it(
    change: AvailabilityChanged, told: tuple[NotificationTopic, str] | None
) -> None:
    notes = notes_of_availability(change)
    assert [(note.topic, note.message) for note in notes] == ([told] if told else [])


@pytest.mark.parametrize("severity", list(Severity))
def test_only_critical_alarms_wake_people(severity: Severity) -> None:
    facts = {"management_affecting": False, "affecting": (), "raised_at": NOW, "text": "96 degrees"}
    note = note_of(AlarmRaised.model_validate({"site": "oslo", "alarm": "heat", "severity": severity, **facts}), {})
    assert (note and note.message) == (
        "Site oslo has the critical alarm heat: 96 degrees" if severity is Severity.CRITICAL else None
    )


def test_what_is_not_as_it_was_left_is_told_as_one_and_says_what_follows() -> None:
    component = {"component": "web", "code": "not_well", "message": "its process ended"}
    sites = [
        {"site": s, "components": [component], "then": then} for s, then in (("oslo", "put_right"), ("bern", "told"))
    ]
    notes = notes_of_drift(DriftFound.model_validate({"app": "shop", "sites": sites, "at": NOW}))
    assert [note.message for note in notes] == [
        "shop on oslo is not as it was left: web: its process ended; it is put right",
        "shop on bern is not as it was left: web: its process ended",
    ]
    assert {note.family for note in notes} == {"drift"}
    assert summary_of("drift", notes, 1_000).message.startswith("1,000 sites are not as they were left: shop on oslo")


def test_a_release_that_nothing_chooses_any_more_is_told_once_and_its_clearing_is_no_news() -> None:
    where = {"site": "oslo", "operation_id": "o", "cause": {"code": "failed", "message": "it broke"}, "at": NOW}
    about = {"app": "shop", "version": "2.0.0", "failures": 1, "barred": True, "sites": [where], "nth": 1, "at": NOW}
    note = note_of(FailedReleaseChanged.model_validate(about), {})
    assert note is not None
    assert note.message.startswith("Release 2.0.0 of shop failed on oslo: it broke; nothing that goes by itself")
    assert note_of(FailedReleaseChanged.model_validate({**about, "cleared_by": "ada"}), {}) is None


def test_a_run_over_a_site_is_told_with_its_counts_when_it_is_over() -> None:
    items = [{"app": "a", "kind": "update", "state": state} for state in ("updated", "updated", "failed", "left")]
    about = {"run_id": "r", "site": "oslo", "kind": "update", "items": items, "started_at": NOW, "nth": 1}
    over = SiteRunChanged.model_validate(
        {**about, "state": "failed", "cause": {"code": "failed", "message": "it broke"}}
    )
    note = note_of(over, {})
    assert note is not None
    assert note.message == "The update of all apps on oslo is failed (2 done, 1 failed, 1 left): it broke"
    assert note_of(SiteRunChanged.model_validate({**about, "state": "running"}), {}) is None
    assert note_of(SiteRunChanged.model_validate({**about, "run_id": "o.first", "state": "done"}), {}) is None


def test_whatever_is_told_as_one_of_a_family_is_of_one_that_there_is() -> None:
    tree = ast.parse(Path(rules.__file__).read_text())
    keywords = [keyword for node in ast.walk(tree) if isinstance(node, ast.Call) for keyword in node.keywords]
    named = {k.value.value for k in keywords if k.arg == "family" and isinstance(k.value, ast.Constant)}
    assert len(named) > 10
    assert named <= set(rules.FAMILIES)
