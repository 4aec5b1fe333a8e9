"""The tables of the sysinv door's README say what the code does, and the transitions are those of sysinv."""

import re
from pathlib import Path

import pytest

import services.gateway.doors.sysinv
from services.gateway.doors.errors import Refused
from services.gateway.doors.sysinv import words
from services.gateway.doors.sysinv.refusing import require
from services.gateway.doors.sysinv.routes import ROUTES
from services.gateway.doors.sysinv.settings import SysinvSettings
from services.gateway.doors.sysinv.standing import Standing
from shared.messages.words import DeploymentStatus

README = Path(services.gateway.doors.sysinv.__file__).with_name("README.md").read_text()
THEIRS = {
    "apply": {"uploaded", "applied", "apply-failed"},
    "update": {"applied"},
    "remove": {"applied", "apply-failed", "remove-failed"},
    "delete": {"uploaded", "upload-failed"},
    "abort": {"applying", "updating", "removing"},
}
"""From which statuses each is allowed there."""

WAYS_OUT = {"apply-failed", "remove-failed"}
"""From these an update is possible here, too: there nothing but a removal led out of a failed one."""


def rows(head: str) -> list[list[str]]:
    """The cells of the table that begins with this row."""
    table = README.split(f"\n{head}\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


@pytest.mark.parametrize("op", list(THEIRS))
def test_what_may_be_asked_for_when_is_as_there_but_for_the_ways_out_of_errors(op: str) -> None:
    allowed = THEIRS[op] | (WAYS_OUT if op == "update" else set())
    assert words.MAY[op] == allowed
    for status in words.STATUSES:
        app = Standing("shop", "1.0.0", status)
        if status in allowed:
            assert require(op, app) is app
            continue
        with pytest.raises(Refused) as refused:
            require(op, app)
        assert refused.value.status == 400
        assert refused.value.detail.startswith(f"Application-{op} rejected: ")
        assert status in refused.value.detail or "already in progress" in refused.value.detail


def test_the_table_of_what_may_be_asked_for_is_true() -> None:
    told = {op: set(re.findall(r"`([a-z-]+)`", text)) for op, text in rows("| | from |")}
    assert {op: told[op] for op in words.MAY} == {op: set(allowed) for op, allowed in words.MAY.items()}


def test_the_table_of_statuses_is_true() -> None:
    told = {ours: theirs for names, theirs in rows("| Belay's status of a deployment | theirs |")
            for ours in re.findall(r"`([a-z_]+)`", names)}  # fmt: skip
    stored = {status for status in DeploymentStatus if not status.endswith("ing")} - {"new", "removed", "rolling_back"}
    assert {ours: theirs.split("`")[1] for ours, theirs in told.items() if ours != "new"} == {
        ours: words.AFTER[ours] for ours in stored
    }


def test_the_table_of_progress_is_true() -> None:
    told = {phase: progress for names, progress in rows("| phase | progress |") for phase in names.split(", ")}
    for phase in ("upload", "precheck", "fetch", "prepare", "deploy", "verify", "remove"):
        assert told[phase].startswith(f"`{words.PHASES[phase]}`")


def test_every_route_and_every_setting_is_told() -> None:
    for route in ROUTES:
        last = route.path.rpartition("/")[2]
        assert last in README, route.path
    for name in SysinvSettings.model_fields:
        assert f"`BELAY_DOOR_SYSINV_{name.upper()}`" in README
