"""The notifier tells by headers alone what it need not read."""

from dataclasses import dataclass, field

import pytest

from services.notifier.handlers import of_a_strategy
from shared.messages.deployer import OperationProgressed, OperationSucceeded


@dataclass
class Record:
    """As much of a Kafka record as is looked at."""

    headers: list[tuple[str, bytes]]
    topic: str = "deployer.events"
    partition: int = 0
    offset: int = 0
    key: bytes | None = b"oslo-1"
    value: bytes | None = field(default=b"{}")


def record(kind: str, operation: str, correlation: str) -> Record:
    named = {"ce_type": kind, "ce_subject": operation, "ce_correlationid": correlation}
    return Record([(name, value.encode()) for name, value in named.items()])


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
    assert of_a_strategy(record(kind, operation, correlation)) is skipped
