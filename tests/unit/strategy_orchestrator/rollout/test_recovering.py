"""What becomes of sites that fail is said for what changes them, and travels with each operation."""

import pytest
from pydantic import ValidationError

from shared.messages.strategy_spec import StrategySpec

UPDATE = {"name": "spring", "type": "update", "app": "shop", "version": "2.0", "selection": {"all": True}}


def test_it_is_said_where_something_is_turned_back() -> None:
    assert StrategySpec.model_validate(UPDATE).recover is None
    assert StrategySpec.model_validate({**UPDATE, "recover": "never"}).recover == "never"


def test_it_is_refused_where_nothing_that_runs_is_changed() -> None:
    with pytest.raises(ValidationError, match="recover: a strategy of type prestage changes nothing that runs"):
        StrategySpec.model_validate({**UPDATE, "type": "prestage", "recover": "never"})


def test_a_word_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="recover"):
        StrategySpec.model_validate({**UPDATE, "recover": "sometimes"})
