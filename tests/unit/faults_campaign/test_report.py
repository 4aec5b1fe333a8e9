"""The report counts honestly, and a round in which anything is wrong has not held."""

from datetime import UTC, datetime
from pathlib import Path

from tests.faults import report
from tests.faults.campaign import Round, device_faults
from tests.faults.checker import Recovery, RuleResult
from tests.faults.evidence import Fault

AT = datetime(2026, 1, 1, tzinfo=UTC)


def a_round(*kinds: str) -> Round:
    return Round(7, Path("evidence"), faults=[Fault(kind=kind, target="deployer-1", at=AT) for kind in kinds])


def test_what_devices_do_by_chance_is_counted_apart() -> None:
    rounds = [a_round("kill_service", "device_hang", "device_hang"), a_round("kill_kafka")]
    result = report.summary(rounds)
    assert (result["injected"], result["devices"]) == (2, 2)
    assert result["faults"] == {"kill_service": 1, "kill_kafka": 1, "device_hang": 2}
    assert report.injected(rounds) == 2


def test_a_violation_or_a_problem_means_that_the_round_has_not_held() -> None:
    good, broken, stuck = a_round(), a_round(), a_round()
    result = RuleResult("no_effect_twice", checked=3)
    result.refuse("site-1", "two effects")
    broken.results.append(result)
    stuck.problems.append("a lane broke")
    assert report.summary([good])["held"]
    assert not report.summary([good, broken])["held"]
    assert not report.summary([good, stuck])["held"]
    assert report.summary([good, broken])["rules"] == {"no_effect_twice": {"checked": 3, "violations": 1}}


def test_recovery_times_are_told_by_kind_and_by_target_without_what_could_not_be_measured() -> None:
    one = a_round()
    one.recoveries += [
        Recovery("kill_service", "deployer-1", 0, 1.0),
        Recovery("kill_service", "gateway-1", 0, 3.0),
        Recovery("kill_service", "gateway-1", 0, None, "no work was due"),
        Recovery("kill_kafka", "kafka", 0, 4.0, down=3.5),
    ]
    times = report.recovery_times([one])
    assert times["kill_service"]["measured"] == 2
    assert (times["kill_service"]["p50"], times["kill_service gateway"]["max"]) == (2.0, 3.0)
    assert times["kill_kafka kafka"]["away_p50"] == 3.5


def test_the_journal_tells_what_devices_did_wrong(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    started = '{"at": "2026-01-01T00:00:00+00:00", "site": "s", "order": "o", "effect": "started", "fate": "%s"}\n'
    journal.write_text(started % "succeed" + started % "hang" + started % "crash")
    assert [fault.kind for fault in device_faults(journal)] == ["device_hang", "device_crash"]
    assert device_faults(tmp_path / "none") == []
