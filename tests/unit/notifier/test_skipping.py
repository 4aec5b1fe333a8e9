"""The notifier tells by headers alone what it need not read."""

import pytest

from services.notifier.handlers import of_a_strategy
from shared.messages.deployer import OperationProgressed, OperationSucceeded


@pytest.mark.parametrize(
    ("kind", "operation", "correlation", "skipped"),
    [
        (OperationSucceeded.TYPE, "s-1.20.1", "s-1", True),
        (OperationSucceeded.TYPE, "op-1", "op-1", False),
        (OperationSucceeded.TYPE, "op-1", "s-1", False),
        (OperationProgressed.TYPE, "s-1.20.1", "s-1", False),
    ],
)
def test_only_the_ends_of_a_strategys_operations_are_skipped(
    kind: str, operation: str, correlation: str, skipped: bool
) -> None:
    attributes = {"ce_type": kind, "ce_subject": operation, "ce_correlationid": correlation}
    assert of_a_strategy(attributes) is skipped
