"""How far back overrides can be restored is said wherever that is offered, and as the code has it."""

import re
from pathlib import Path

import pytest

from services.deployer.settings import DeployerSettings
from services.gateway.pruning import OVERRIDE_DAYS
from shared.values.layers import LAST_CHANGES

ROOT = Path(__file__).parents[4]
OFFERED = ("README.md", "services/cli/nouns/overrides.py", "services/web/model/overrides.js", "schemas/openapi.json")
BOUND = re.compile(r"last (\d+) (?:there|changes)[^.]*?, and (?:all )?of (?:the last )?(\d+) days", re.DOTALL)


@pytest.mark.parametrize("place", OFFERED)
def test_the_bound_of_restores_is_told(place: str) -> None:
    (told, *others) = BOUND.findall((ROOT / place).read_text())
    assert [told, *others] == [(str(LAST_CHANGES), str(OVERRIDE_DAYS))] * (1 + len(others))
    assert DeployerSettings.model_fields["override_days"].default == OVERRIDE_DAYS
