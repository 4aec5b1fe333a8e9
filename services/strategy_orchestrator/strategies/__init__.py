"""Strategy types: what each does to a site, and which sites it leaves out. One pure function of one signature each.

To add a type: add it to `words.StrategyType`, write its module here, and enter it in `TYPES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.strategy_orchestrator.strategies import apply, rollback, update
from services.strategy_orchestrator.strategies.site import Candidate, Target
from shared.messages.strategy import Why
from shared.messages.words import OperationKind, StrategyType

Judge = Callable[[Candidate, Target], Why | None]
"""Why this site is left out; None when it takes part."""


@dataclass(frozen=True, slots=True)
class Type:
    """What a strategy type is made of."""

    operation: OperationKind
    judge: Judge
    forced: OperationKind | None = None
    """The operation with `force`: a release is not updated to itself, but may be applied again."""


TYPES: dict[StrategyType, Type] = {
    StrategyType.APPLY: Type(OperationKind.APPLY, apply.judge),
    StrategyType.UPDATE: Type(OperationKind.UPDATE, update.judge, forced=OperationKind.APPLY),
    StrategyType.ROLLBACK: Type(OperationKind.ROLLBACK, rollback.judge),
}


def operation_of(strategy_type: StrategyType, force: bool) -> OperationKind:
    """What the deployer is asked to do on every site."""
    kind = TYPES[strategy_type]
    return (kind.forced if force else None) or kind.operation


__all__ = ["TYPES", "Candidate", "Target", "Type", "operation_of"]
