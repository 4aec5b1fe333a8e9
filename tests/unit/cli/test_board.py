"""A strategy on the screen."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

from rich.console import Console

from services.cli.board import board, ends_in, lines, overdue

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stage(name: str, state: str, why: str | None = None, **counts: int) -> dict[str, Any]:
    zero = dict.fromkeys(("waiting", "running", "complete", "failed", "aborted"), 0)
    reason = {"code": "x", "message": why} if why else None
    return {"name": name, "state": state, "counts": zero | counts, "max_parallel": 4, "why": reason, "forecast": None}


def strategy(state: str, *stages: dict[str, Any]) -> dict[str, Any]:
    spec = {"type": "update", "app": "datasette", "version": "0.64.8"}
    return {"name": "up", "spec": spec, "state": state, "why": None, "stages": list(stages)}


def drawn(view: dict[str, Any]) -> str:
    text = StringIO()
    Console(width=160, file=text).print(board(view, NOW))
    return text.getvalue()


def test_the_board_shows_each_stage_with_its_counts_and_why_it_waits() -> None:
    text = drawn(
        strategy(
            "applying",
            stage("canary", "complete", complete=1),
            stage("rest", "waiting", "waits for canary", waiting=11),
        )
    )
    assert "up  update datasette → 0.64.8  applying" in text
    assert "1/1" in text
    assert "0/11" in text
    assert "waits for canary" in text


def test_names_from_outside_are_never_taken_for_markup() -> None:
    assert "[red]a[/red]" in drawn(strategy("applying", stage("[red]a[/red]", "running", running=1)))


def test_an_end_that_lies_in_the_past_is_told_as_what_it_waits_for() -> None:
    late = stage("rest", "running", running=1) | {"forecast": {"eta_low": None, "eta_high": None, "overdue": True}}
    assert overdue(late) == "overdue, waits for 1 site"
    assert overdue(stage("rest", "running", running=1)) == ""


def test_the_end_is_told_as_a_range_from_now() -> None:
    def forecast(low: float, high: float) -> dict[str, str]:
        return {f"eta_{name}": (NOW + timedelta(seconds=s)).isoformat() for name, s in (("low", low), ("high", high))}

    assert ends_in(forecast(12, 20), NOW) == "12 to 20 s"
    assert ends_in(forecast(-5, 4), NOW) == "0 to 4 s"
    assert ends_in(forecast(-9, -5), NOW) == ""
    assert ends_in(forecast(120, 600), NOW) == "2 to 10 min"
    assert ends_in({"eta_low": None, "eta_high": None}, NOW) == ""
    assert ends_in(None, NOW) == ""


def test_lines_tell_only_what_is_new() -> None:
    before = strategy("applying", stage("canary", "running", running=1), stage("rest", "waiting", waiting=2))
    after = strategy("applying", stage("canary", "complete", complete=1), stage("rest", "waiting", waiting=2))
    assert list(lines(before, None)) == ["stage canary running: 0/1 done, 1 running", "strategy up applying"]
    assert list(lines(before, before)) == []
    assert list(lines(after, before)) == ["stage canary complete: 1/1 done"]
