"""The notifier tells by headers alone what it need not read."""

import pytest

from services.notifier.handlers import of_a_strategy
from shared.messages.deployer import OperationFailed, OperationProgressed, OperationSucceeded


@pytest.mark.parametrize(
    ("kind", "operation", "correlation", "skipped"),
    [
        (OperationSucceeded.TYPE, "s-1.20.1", "s-1", True),
        (OperationSucceeded.TYPE, "op-1", "op-1", False),
        (OperationSucceeded.TYPE, "op-1", "s-1", False),
        (OperationProgressed.TYPE, "s-1.20.1", "s-1", False),
        (OperationFailed.TYPE, "s-1.20.1", "s-1", False),
    ],
)
def test_only_what_went_well_in_a_strategy_is_skipped(
    kind: str, operation: str, correlation: str, skipped: bool
) -> None:
    attributes = {"ce_type": kind, "ce_subject": operation, "ce_correlationid": correlation}
    assert of_a_strategy(attributes) is skipped
