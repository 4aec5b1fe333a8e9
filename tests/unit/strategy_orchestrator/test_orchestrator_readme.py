"""The README tells transitions and reasons as the code has them."""

import re
from pathlib import Path

from services.strategy_orchestrator import domain
from services.strategy_orchestrator.domain import ACTIONS, STAGE_TRANSITIONS, TRANSITIONS
from services.strategy_orchestrator.gates import GATES

ROOM = Path(domain.__file__).parent
README = (ROOM / "README.md").read_text()


def test_the_readme_shows_what_may_follow_each_state_and_what_people_may_do() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in README.splitlines() if line[:2] == "| "]
    told = {row[0]: (row[1], row[2]) for row in rows if len(row) == 3 and row[0] in set(TRANSITIONS)}
    assert told == {
        str(state): (", ".join(sorted(after)), ", ".join(ACTIONS[state])) for state, after in TRANSITIONS.items()
    }


def table(head: str) -> dict[str, str]:
    """The rows of a table of two columns with this head."""
    rows = README.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return {cells[0].strip("` "): cells[1].strip() for row in rows if (cells := row.strip("|").split("|"))}


def test_the_readme_shows_what_may_follow_each_state_of_a_stage() -> None:
    assert table("stage") == {str(state): ", ".join(sorted(after)) for state, after in STAGE_TRANSITIONS.items()}


def test_the_readme_names_every_gate_in_the_order_in_which_they_are_asked() -> None:
    assert list(table("gate")) == [check.__module__.rpartition(".")[2] for check in GATES]
    files = {path.stem for path in (ROOM / "gates").glob("*.py")} - {"__init__", "gate"}
    assert set(table("gate")) == files


def test_the_readme_names_every_reason_of_a_plan_of_a_step_and_of_a_stage() -> None:
    rooms = [path for room in ("strategies", "gates", "rollout") for path in (ROOM / room).glob("*.py")]
    codes = {code for path in rooms for code in re.findall(r"(?:Why\(code=|Closed\()\"(\w+)\"", path.read_text())}
    assert len(codes) > 20
    assert {code for code in codes | {"already_there"} if f"`{code}`" not in README} == set()
