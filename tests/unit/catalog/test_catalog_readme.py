"""The README tells the transitions as the code has them."""

import re
from pathlib import Path

from services.catalog import domain

README = Path(domain.__file__).with_name("README.md")


def test_the_readme_shows_every_transition_and_no_other() -> None:
    told = re.findall(r"^\| (\w+) \| (publish|pass|fail|withdraw) \| (\w+) \|$", README.read_text(), re.MULTILINE)
    known = {(str(state or "new"), str(on), str(to)) for (state, on), to in domain.TRANSITIONS.items()}
    assert set(told) == known
