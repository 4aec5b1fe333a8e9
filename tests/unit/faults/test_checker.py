"""The checker believes a good run, and refuses every broken one by the rule that was broken."""

import ast
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults import checker
from tests.faults.checker import RULES, Evidence, check, read, recoveries
from tests.faults.checker.mirrors import people_are_told_once
from tests.faults.evidence import Fault, fingerprints
from tests.unit.faults.breaking import BREAKS as OTHERS
from tests.unit.faults.breaking import DEPLOYER, STRATEGY, Break, a_slow_recovery, again, told
from tests.unit.faults.breaking_sites import BREAKS_OF_SITES
from tests.unit.faults.breaking_strands import BREAKS_OF_STRANDS

RECORDED = Path(__file__).with_name("recorded")
BREAKS = {**OTHERS, **BREAKS_OF_SITES, **BREAKS_OF_STRANDS}
CASES = [(rule, broken) for rule, breaks in BREAKS.items() for broken in breaks]


@pytest.fixture
def evidence() -> Evidence:
    return read(RECORDED)


def refused_by(evidence: Evidence) -> list[str]:
    return [result.rule for result in check(evidence) if result.violations]


def test_a_good_run_is_believed(evidence: Evidence) -> None:
    results = check(evidence)
    assert [violation for result in results for violation in result.violations] == []
    assert [result.rule for result in results if not result.checked] == [], (
        "a rule that looked at nothing proves nothing"
    )


@pytest.mark.parametrize(("rule", "broken"), CASES, ids=[broken.__name__ for _, broken in CASES])
def test_a_broken_run_is_refused_by_the_rule_that_was_broken(evidence: Evidence, rule: str, broken: Break) -> None:
    broken(evidence)
    assert refused_by(evidence) == [rule]


def test_each_failure_of_a_strategy_is_told_of(evidence: Evidence) -> None:
    again(evidence, told(evidence, STRATEGY, "strategy_state_changed", state="failed"))
    (missed,) = people_are_told_once(evidence).violations
    assert missed.detail.startswith("0 are told of together; 1 were not told of alone, at least 1")


def test_a_release_that_was_withdrawn_is_told_of_though_it_was_when_it_came(evidence: Evidence) -> None:
    withdrawn = again(evidence, told(evidence, "catalog.events", "release_available"), reason="")
    withdrawn.headers["ce_type"] = "belay.catalog.release_withdrawn.v1"
    (missed,) = people_are_told_once(evidence).violations
    assert missed.subject == "release"


@pytest.mark.parametrize(("count", "believed"), [(0, False), (2, True), (3, True), (4, False)])
def test_what_comes_twice_may_count_once_in_a_batch(evidence: Evidence, count: int, believed: bool) -> None:
    for number, release in enumerate(("one", "one", "other")):
        available = told(evidence, "catalog.events", "release_available")
        forged = again(evidence, available, deletion="d", release_id=release, cause={"code": "c", "message": "m"})
        forged.headers |= {"ce_id": f"forged-{number}", "ce_type": "belay.catalog.release_deletion_refused.v1"}
    if count:
        row = {"id": 0, "topic": "warning", "about": "kept", "link": "", "count": count}
        evidence.tables["notifier.notification"].append(row)
    assert believed == ("warning" not in {missed.subject for missed in people_are_told_once(evidence).violations})


@pytest.mark.parametrize("number", range(0, len(read(RECORDED).journal), 3))
def test_no_line_of_the_journal_can_vanish_unnoticed(evidence: Evidence, number: int) -> None:
    del evidence.journal[number]
    assert refused_by(evidence) != []


@pytest.mark.parametrize("topic", ["deployer.commands", DEPLOYER, STRATEGY, "site.state", "notifier.events"])
def test_no_record_can_vanish_unnoticed(topic: str) -> None:
    for number in range(0, len(read(RECORDED).topics[topic]), 4):
        evidence = read(RECORDED)
        lost = evidence.topics[topic][number]
        another = next(r for r in evidence.topics[topic] if r is not lost)
        evidence.topics[topic][number] = replace(another, partition=lost.partition, offset=lost.offset)
        told_again = sum(r.id == lost.id for r in evidence.topics[topic]) > 0
        told_again |= lost.name == "notifier_key_reported"  # at each start, and once a day
        assert told_again or refused_by(evidence) != [], f"{lost.place} {lost.type}"


def test_a_rule_that_breaks_is_not_content(evidence: Evidence) -> None:
    del evidence.journal[0]["order"]
    assert "no_effect_twice" in refused_by(evidence)


@pytest.mark.parametrize("table", ["deployer.hold", "gateway.stage", "notifier.notification", "catalog.release"])
def test_a_rule_whose_table_is_missing_is_not_content(evidence: Evidence, table: str) -> None:
    del evidence.tables[table]
    assert refused_by(evidence) != []


def test_every_rule_has_a_run_that_it_must_refuse() -> None:
    assert BREAKS.keys() == RULES.keys()


def test_verdicts_carry_the_name_of_their_rule(evidence: Evidence) -> None:
    assert [rule(evidence).rule for rule in RULES.values()] == list(RULES)


def test_events_that_were_sent_twice_change_nothing(evidence: Evidence) -> None:
    for topic in evidence.live:
        if not topic.endswith(".commands"):
            twice = [replace(r, offset=2 * r.offset + n) for r in evidence.topics[topic] for n in (0, 1)]
            evidence.topics[topic] = sorted(twice, key=lambda r: (r.partition, r.offset))
    for table, rows in evidence.tables.items():
        for row in rows:
            if table.endswith(".consumed") and not row["topic"].endswith(".commands"):
                row["next_offset"] *= 2
    assert refused_by(evidence) == []


def test_an_old_stretch_that_was_replayed_changes_nothing(evidence: Evidence) -> None:
    records = evidence.topics[STRATEGY]
    end = max(r.offset for r in records if r.partition == 1)
    old = [r for r in records if r.partition == 1 and 3 <= r.offset < 9]
    records += [replace(r, offset=end + 1 + n) for n, r in enumerate(old)]
    for rows in evidence.tables.values():
        for row in rows:
            if row.get("topic") == f"belay.{STRATEGY}" and row["part"] == 1:
                row["next_offset"] += len(old)
    assert refused_by(evidence) == []


def test_an_error_that_a_fault_explains_is_no_violation(evidence: Evidence) -> None:
    fault = evidence.faults[0]
    at = fault.at + timedelta(seconds=1)
    line = f"{at:%Y-%m-%d %H:%M:%S},123 [ERROR] aiokafka.consumer.group_coordinator: Group Coordinator Request failed"
    evidence.logs["notifier-1.log"].append(line)
    assert refused_by(evidence) == []
    evidence.faults[0] = fault.model_copy(update={"kind": "hostile_record"})
    evidence.ends.clear()
    assert refused_by(evidence) == ["errors_are_explained"]


def test_a_secret_is_known_by_its_fingerprint_alone(evidence: Evidence) -> None:
    token = "belay_0123456789ab_Kq3xT0r9Vb2mN8sL5wYzAcDeFgHiJkLmNoPqRsTuVwX"
    evidence.secrets = frozenset(fingerprints([token]))
    evidence.logs["gateway-1.log"].append(f'{{"event": "hello", "token": "{token}"}}')
    assert token not in str(evidence.secrets)
    assert refused_by(evidence) == ["no_secret_is_told"]


def test_a_recovery_that_another_fault_made_long_proves_nothing(evidence: Evidence) -> None:
    first = evidence.faults[0]
    evidence.faults.append(Fault(kind="freeze_service", target="deployer-1", at=first.at + timedelta(milliseconds=1)))
    a_slow_recovery(evidence)
    assert [(r.seconds, r.why) for r in recoveries(evidence)] == [(None, "another fault came between")]


def test_a_fault_without_work_is_not_measured(evidence: Evidence) -> None:
    evidence.faults[0] = evidence.faults[0].model_copy(update={"at": evidence.run.ended_at})
    assert [r.why for r in recoveries(evidence)] == ["no work was due"]


def test_the_checker_shares_nothing_with_what_it_checks() -> None:
    files = [*Path(checker.__file__).parent.glob("*.py"), Path(checker.__file__).parents[1] / "evidence.py"]
    imported = {name for file in files for name in _imports(ast.parse(file.read_text()))}
    ours = {name for name in imported if name.split(".")[0] in {"shared", "services", "tests", "schemas"}}
    assert {name for name in ours if not name.startswith(("tests.faults.checker", "tests.faults.evidence"))} == set()


def _imports(tree: ast.Module) -> set[str]:
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_the_page_for_operators_names_every_rule() -> None:
    page = (Path(checker.__file__).parents[1] / "README.md").read_text()
    assert [rule for rule in RULES if f"`{rule}`" not in page] == []


def test_what_was_in_a_batch_that_nobody_could_unpack_needs_no_answer(evidence: Evidence) -> None:
    topic = next(topic for topic in evidence.topics if topic.endswith(".commands.dlq"))
    command = evidence.topics[topic.removesuffix(".dlq")][-1]
    unread = replace(command, offset=command.offset + 1, headers={**command.headers, "ce_id": "packed"})
    evidence.topics[command.topic].append(unread)
    assert "one_answer_a_command" in refused_by(evidence)
    evidence = read(RECORDED)
    evidence.topics[command.topic].append(unread)
    place, offset = unread.place.rpartition("/")[0], unread.offset
    told = {"belay_dlq_batch": f"{offset}-{offset}", "belay_dlq_origin": f"{place}/{offset}"}
    evidence.topics[topic].append(replace(command, topic=topic, headers=told))
    assert "one_answer_a_command" not in refused_by(evidence)
