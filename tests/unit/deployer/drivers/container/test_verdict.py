"""How well a container is follows from what its engine says of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.deployer.drivers.container.verdict import (
    CHECK_SECONDS,
    STEADY,
    check_seconds,
    environment_of,
    got_over,
    verdict,
)

CHECK = {"Config": {"Healthcheck": {"Test": ["CMD", "true"]}}}


def shown(status: str = "running", **more: Any) -> dict[str, Any]:
    state = {"Status": status, "Running": status == "running", **more.pop("state", {})}
    return {"State": state, "RestartCount": 0, **more}


def test_what_runs_without_a_check_is_well() -> None:
    assert verdict(shown()).well
    assert verdict(shown(Config={"Healthcheck": {"Test": ["NONE"]}})).well


def test_what_has_ended_is_gone_or_was_started_again_is_over() -> None:
    for each in (None, shown("exited"), shown("dead"), shown(RestartCount=2)):
        found = verdict(each)
        assert (found.well, found.over) == (False, True)
    assert verdict(shown("exited", state={"ExitCode": 3})).why == "it exited with status 3"
    assert "memory" in verdict(shown("exited", state={"ExitCode": 137, "OOMKilled": True})).why


@pytest.mark.parametrize("zone", ["Z", "+00:00"])
def test_who_runs_on_for_a_minute_has_got_over_its_restarts(zone: str) -> None:
    since = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    again = shown(RestartCount=2, state={"StartedAt": f"2026-01-01T12:00:00.123456789{zone}"})
    assert got_over(again, since + STEADY) == 0
    assert got_over(again, since + STEADY + timedelta(seconds=1)) == 2
    assert (verdict(again, None, 2).well, verdict(again, None, 1).over) == (True, True)


def test_who_does_not_say_since_when_it_runs_has_got_over_nothing() -> None:
    for said in ({}, {"StartedAt": ""}, {"StartedAt": "0001-01-01T00:00:00"}, {"StartedAt": "today"}):
        assert got_over(shown(RestartCount=2, state=said), datetime.now(UTC)) == 0
    assert got_over(None, datetime.now(UTC)) == 0


def test_what_has_a_check_is_well_once_that_says_so_and_not_over_before() -> None:
    starting = shown(state={"Health": {"Status": "starting"}}, **CHECK)
    assert (verdict(starting).well, verdict(starting).over) == (False, False)
    assert verdict(starting, "healthy").well
    sick = shown(state={"Health": {"Status": "unhealthy", "Log": [{"Output": "no answer\n"}]}}, **CHECK)
    assert verdict(sick).why == "its health check says unhealthy: no answer"
    assert verdict(shown(state={"Health": {"Status": "healthy"}}, **CHECK)).well


def test_what_is_made_and_does_not_run_yet_is_neither_well_nor_over() -> None:
    found = verdict(shown("created"))
    assert (found.well, found.over) == (False, False)


def test_a_check_has_the_time_that_it_was_made_with() -> None:
    assert check_seconds({"Config": {"Healthcheck": {"Test": ["CMD", "true"], "Timeout": 2_500_000_000}}}) == 2.5
    assert check_seconds(CHECK) == CHECK_SECONDS


def test_variables_hold_whatever_stands_behind_the_first_sign() -> None:
    assert environment_of({"Config": {"Env": ["A=1=2", "B="]}}) == {"A": "1=2", "B": ""}
    assert environment_of({}) == {}
