"""What a batch says for all its operations holds for each of them."""

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from services.deployer.judging import SAID_FOR_ALL, single
from shared.messages.deployer import Requested, RequestOperations
from shared.wire.codec import Envelope

UNUSUAL = MappingProxyType(
    {
        "app": "shop",
        "kind": "prestage",
        "version": "2.0",
        "recover": "never",
        "timeout_seconds": 77,
        "strategy_id": "s",
        "force": True,
        "reset_overrides": False,
        "reset_attributes": False,
        "only_changes": True,
    }
)
"""For each field that a batch shares with an operation a value that it has not by itself."""


def of_a_batch(**more: Any) -> Any:
    one = Requested(operation_id="s.0.1", site="oslo", **more)
    batch = RequestOperations.model_validate({**UNUSUAL, "batch": "s/1.1", "operations": (one,)})
    return single(Envelope(batch, "s/1.1", "belay", datetime.now(UTC)), one).data


def test_this_test_knows_every_field_that_they_share() -> None:
    """A field that comes later needs a value here."""
    assert set(UNUSUAL) == SAID_FOR_ALL
    assert all(RequestOperations.model_fields[name].default != value for name, value in UNUSUAL.items())


@pytest.mark.parametrize("field", sorted(UNUSUAL))
def test_each_field_of_a_batch_reaches_its_operations(field: str) -> None:
    assert getattr(of_a_batch(), field) == UNUSUAL[field]


def test_a_release_of_its_own_wins_over_that_of_the_batch() -> None:
    assert (of_a_batch(version="3.0").version, of_a_batch().site) == ("3.0", "oslo")
