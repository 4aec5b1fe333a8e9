"""The README tells the transitions as the code has them."""

import re
from pathlib import Path

from services.catalog import domain
from services.catalog.preparation import domain as preparation
from services.catalog.preparation.worker import FOR_GOOD, PASSING

README = Path(domain.__file__).with_name("README.md")


def test_the_readme_shows_every_transition_and_no_other() -> None:
    told = re.findall(
        r"^\| (\w+) \| (publish|pass|fail|withdraw|delete) \| (\w+) \|$", README.read_text(), re.MULTILINE
    )
    known = {(str(state or "new"), str(on), str(to)) for (state, on), to in domain.TRANSITIONS.items()}
    assert set(told) == known


def test_the_readme_shows_every_transition_of_a_preparation_and_no_other() -> None:
    told = re.findall(r"^\| (\w+) \| (ask|succeed|break) \| (\w+) \|$", README.read_text(), re.MULTILINE)
    known = {(str(state or "new"), str(on), str(to)) for (state, on), to in preparation.TRANSITIONS.items()}
    assert set(told) == known


def test_the_readme_explains_every_cause_of_a_failed_preparation() -> None:
    told = set(re.findall(r"`(\w+)`", README.read_text().partition("The causes:")[2].partition("A worker")[0]))
    assert {*FOR_GOOD.values(), *PASSING.values(), preparation.WITHDRAWN.code} <= told
