"""The README tells transitions, settings and reasons as the code has them."""

import re
from pathlib import Path

from services.deployer import domain
from services.deployer.domain import RESTING, TRANSITIONS, Outcome
from services.deployer.phases import PHASES, Phase, Row, point_of_no_return
from services.deployer.settings import DeployerSettings
from shared.messages.words import OperationKind as Kind

README = Path(domain.__file__).with_name("README.md").read_text()


def rows(columns: int) -> list[list[str]]:
    found = (line.strip("|").split("|") for line in README.splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in row] for row in found if len(row) == columns]


def test_the_readme_shows_how_every_operation_begins() -> None:
    told = {
        (status, kind, during)
        for statuses, kind, during in rows(3)
        for status in statuses.split(", ")
        if kind in set(Kind)
    }
    assert told == {(str(s), str(k), str(TRANSITIONS[s][k])) for s in RESTING for k in Kind if k in TRANSITIONS[s]}


def test_the_readme_shows_how_every_operation_ends() -> None:
    ends = (Outcome.SUCCEEDED, Outcome.RECOVERED, Outcome.UNDONE, Outcome.LOST)
    known = [[str(s), *(str(steps[e]) for e in ends)] for s, steps in TRANSITIONS.items() if s not in RESTING]
    assert sorted(row for row in rows(5) if row[0] in set(TRANSITIONS)) == sorted(known)


def test_the_readme_shows_the_phases_of_every_kind() -> None:
    told = {(kind, *cells) for kinds, *cells in rows(7) for kind in kinds.split(", ") if kind in set(Kind)}
    known = {
        (str(kind), str(leg), str(row.phase), row.verb, str(row.order), str(row.bound), back(row))
        for kind, legs in PHASES.items()
        for leg, found in legs.items()
        for row in found
    }
    assert told == known


def back(row: Row) -> str:
    return "told" if row.optional else "untouched" if not row.changes else "yes" if row.way_back else "no"


def test_the_readme_names_the_points_of_no_return() -> None:
    found = {kind: point_of_no_return(kind) for kind in Kind}
    assert {kind: phase for kind, phase in found.items() if phase} == {Kind.RECOVER: Phase.DEPLOY}
    assert "`deploy` of recover, none of\nthe others" in README


def test_the_readme_names_every_setting_and_its_default() -> None:
    told = {name: float(default) for name, default in re.findall(r"`BELAY_DEPLOYER_(\w+)` \| ([\d.]+)", README)}
    fields = DeployerSettings.model_fields.items()
    assert told == {name.upper(): float(field.default) for name, field in fields}


def test_the_readme_names_every_reason() -> None:
    source = Path(domain.__file__).read_text() + Path(domain.__file__).with_name("handlers.py").read_text()
    codes = set(re.findall(r"(?:_fault|because)\(\s*\"(\w+)\"", source))
    assert len(codes) > 10
    assert {code for code in codes if f"`{code}`" not in README} == set()
