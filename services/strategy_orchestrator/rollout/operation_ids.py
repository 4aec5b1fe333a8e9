"""The ids of operations and of batches that strategies ask for. Pure."""

import re


def operation_id(strategy_id: str, position: int, attempt: int) -> str:
    """The id of a step's operation: the same step and attempt always asks for the same operation."""
    return f"{strategy_id}.{position}.{attempt}"


def step_of(operation: str) -> tuple[str, int, int] | None:
    """Strategy id, position and attempt of a step's operation; None for any other operation."""
    match = _STEP.fullmatch(operation)
    return (match[1], int(match[2]), int(match[3])) if match else None


def batch_of(batch: str) -> tuple[str, str] | None:
    """Strategy id and name of a batch of operations that a strategy asked for; None for any other command."""
    match = _BATCH.fullmatch(batch)
    return (match[1], match[2]) if match else None


_STEP = re.compile(r"(.+)\.([0-9]{1,9})\.([0-9]{1,9})")
_BATCH = re.compile(r"(.+)/([0-9]{1,9}\.[0-9]{1,9})")
