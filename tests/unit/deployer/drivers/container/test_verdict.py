"""How well a container is follows from what its engine says of it."""

from typing import Any

from services.deployer.drivers.container.verdict import environment_of, verdict

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


def test_variables_hold_whatever_stands_behind_the_first_sign() -> None:
    assert environment_of({"Config": {"Env": ["A=1=2", "B="]}}) == {"A": "1=2", "B": ""}
    assert environment_of({}) == {}
