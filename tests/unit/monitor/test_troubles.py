"""What people are told of Belay's own troubles: each once, and when it is over."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.monitor.troubles import Said, Troubles

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STALLED = {"code": "partition_stalled", "about": "t/0", "message": "3 records wait", "since": None, "advice": "look"}


def row(instance: str, *findings: dict[str, Any], service: str = "catalog", **more: Any) -> dict[str, Any]:
    return {"service": service, "instance": instance, "findings": list(findings), **more}


def keep(troubles: Troubles, *rows: dict[str, Any], at: datetime = NOW) -> list[tuple[str, str, str, bool]]:
    """What is said after a look, and keep it."""
    told = []
    for change in troubles.changes(rows, MINUTE, at):
        if change.finding:
            troubles.said[change.key] = Said("id", at)
        else:
            del troubles.said[change.key]
        told.append((*change.key, change.finding is not None))
    return told


def test_a_trouble_that_all_replicas_tell_of_is_told_once_and_so_is_its_end() -> None:
    troubles = Troubles()
    assert keep(troubles, row("1", STALLED), row("2", STALLED)) == [("catalog", "partition_stalled", "t/0", True)]
    assert keep(troubles, row("1", STALLED), row("2")) == []
    assert keep(troubles, row("1"), row("2")) == [("catalog", "partition_stalled", "t/0", False)]
    assert keep(troubles, row("1"), row("2")) == []


def test_of_a_service_that_is_silent_nothing_is_over() -> None:
    troubles = Troubles()
    keep(troubles, row("1", STALLED))
    assert keep(troubles, row("1", error="no answer: TimeoutError")) == []
    assert keep(troubles, row("1")) == [("catalog", "partition_stalled", "t/0", False)]


def test_who_does_not_answer_is_told_of_after_a_minute_with_what_its_file_knows() -> None:
    troubles, silent = Troubles(), row("1", error="no answer: ConnectionRefusedError; its last end: MemoryError")
    assert keep(troubles, silent) == []
    assert keep(troubles, silent, at=NOW + MINUTE / 2) == []
    (change,) = troubles.changes([silent], MINUTE, NOW + MINUTE)
    assert change.finding
    assert change.finding.message == (
        "catalog-1 does not answer: no answer: ConnectionRefusedError; its last end: MemoryError"
    )
    assert keep(troubles, silent, at=NOW + MINUTE) == [("catalog", "no_answer", "catalog-1", True)]
    assert keep(troubles, row("1"), at=NOW + 2 * MINUTE) == [("catalog", "no_answer", "catalog-1", False)]
