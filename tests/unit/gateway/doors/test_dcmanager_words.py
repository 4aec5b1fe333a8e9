"""The door's README tells states, phases and settings as the code has them; releases are meant as they are written."""

import re

import pytest

from services.gateway.domain import Role
from services.gateway.doors.dcmanager import words
from services.gateway.doors.dcmanager.meant_release import in_sync, known_of, meant
from services.gateway.doors.dcmanager.settings import DcmanagerSettings
from services.gateway.doors.dcmanager.shapes import STEPS
from services.gateway.doors.keystone import ROLES
from shared.messages.words import DeploymentStatus, StepState, StrategyState
from tests.contract.test_house import ROOT

README = (ROOT / "services/gateway/doors/dcmanager/README.md").read_text()
KNOWN = known_of("platform", "pep440", ["1.0.0", "2.0.0", "2.0.10", "2.0.9", "2.1.0rc1", "20.0.0"])


def test_every_word_of_belay_has_one_of_theirs() -> None:
    assert words.STATES.keys() == set(StrategyState)
    assert words.STEP_STATES.keys() == set(StepState) - {StepState.RUNNING}
    assert words.DEPLOY_STATUSES.keys() == {None, *DeploymentStatus}
    assert ROLES.keys() == set(Role)


def test_the_readme_tells_states_phases_and_settings() -> None:
    for ours, theirs in words.STATES.items():
        (row,) = [line for line in README.splitlines() if line.startswith("| `") and f"`{ours}`" in line.split("|")[1]]
        assert theirs in row or "the same" in row
    for kind, phases in words.PHASES.items():
        column = {words.PRESTAGE: 2, words.SW_DEPLOY: 3}[kind]
        for phase, state in phases.items():
            (row,) = [line for line in README.splitlines() if re.match(rf"\| ([\w, ]+, )?{phase}(, [\w, ]+)? \|", line)]
            assert state in row.split("|")[column], (phase, row)
    for name in DcmanagerSettings.model_fields:
        assert f"| `BELAY_DOOR_DCMANAGER_{name.upper()}` |" in README


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("2.0.0", "2.0.0"),
        ("platform-2.0.0", "2.0.0"),
        (" 2.0.9 ", "2.0.9"),
        ("2.0", "2.0.10"),
        ("02.00", "2.0.10"),
        ("2", "2.0.10"),
        ("2.1.0-rc1", "2.1.0rc1"),
        ("2.0rc1", None),
        ("2.1", "2.1.0rc1"),
        ("1", "1.0.0"),
        ("3", None),
        ("", None),
        ("abc", None),
        ("2.0.0 or so", None),
    ],
)
def test_a_release_may_be_written_whole_or_by_its_beginning(asked: str, found: str | None) -> None:
    assert meant(KNOWN, asked) == found


def test_a_site_is_in_sync_where_it_runs_the_newest_release() -> None:
    assert (in_sync(KNOWN, "20.0.0"), in_sync(KNOWN, "2.0.0"), in_sync(KNOWN, None)) == (
        "in-sync",
        "out-of-sync",
        "unknown",
    )


def test_a_step_has_its_number_alone() -> None:
    assert len({strategy * STEPS + cloud for strategy in (1, 2, 3) for cloud in (1, 2, 100_000)}) == 9
    assert 1_000_000 * STEPS < 2**53, "what every JSON reader can tell apart"
