"""The README tells transitions and reasons as the code has them."""

import re
from pathlib import Path

from services.strategy_orchestrator import domain
from services.strategy_orchestrator.domain import ACTIONS, TRANSITIONS

ROOM = Path(domain.__file__).parent
README = (ROOM / "README.md").read_text()


def test_the_readme_shows_what_may_follow_each_state_and_what_people_may_do() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in README.splitlines() if line[:2] == "| "]
    told = {row[0]: (row[1], row[2]) for row in rows if len(row) == 3 and row[0] in set(TRANSITIONS)}
    assert told == {
        str(state): (", ".join(sorted(after)), ", ".join(ACTIONS[state])) for state, after in TRANSITIONS.items()
    }


def test_the_readme_names_every_reason_of_a_plan_and_of_a_step() -> None:
    rooms = (ROOM / "rollout").glob("*.py")
    sources = [*(ROOM / "strategies").glob("*.py"), *rooms]
    codes = {code for path in sources for code in re.findall(r"Why\(code=\"(\w+)\"", path.read_text())}
    assert len(codes) > 15
    assert {code for code in codes | {"already_there"} if f"`{code}`" not in README} == set()
