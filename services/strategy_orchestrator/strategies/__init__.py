"""Strategy types: what each does to a site, and which sites it leaves out. One pure function of one signature each.

To add a type: add it to `words.StrategyType`, write its module here, and enter it in `TYPES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.strategy_orchestrator.strategies import apply, rollback, undo, update
from services.strategy_orchestrator.strategies.site import Candidate, Changed, Release, Target, Undone
from shared.messages.strategy import StrategySpec, Why
from shared.messages.words import OperationKind, StrategyType

Judge = Callable[[Candidate, Target], Why | None]
"""Why this site is left out; None when it takes part."""

Goal = Callable[[Candidate, Target], str | None]
"""The release that this site is to reach."""


def _same_for_all(_: Candidate, target: Target) -> str | None:
    return target.version


@dataclass(frozen=True, slots=True)
class Type:
    """What a strategy type is made of."""

    operation: OperationKind
    judge: Judge
    forced: OperationKind | None = None
    """The operation with `force`: a release is not updated to itself, but may be applied again."""
    goal: Goal = _same_for_all


TYPES: dict[StrategyType, Type] = {
    StrategyType.APPLY: Type(OperationKind.APPLY, apply.judge),
    StrategyType.UPDATE: Type(OperationKind.UPDATE, update.judge, forced=OperationKind.APPLY),
    StrategyType.ROLLBACK: Type(OperationKind.ROLLBACK, rollback.judge, goal=rollback.goal),
}

UNDO = Type(OperationKind.ROLLBACK, undo.judge, goal=undo.goal)
"""A rollback that undoes a strategy."""


def type_of(spec: StrategySpec) -> Type:
    """What the strategy of this spec is made of."""
    return UNDO if spec.undo else TYPES[spec.type]


def operation_of(strategy_type: StrategyType, force: bool, undone: OperationKind | None = None) -> OperationKind:
    """What the deployer is asked to do on every site; `undone` is what the strategy asked for that is undone."""
    if undone is not None:
        return undo.operation(undone)
    kind = TYPES[strategy_type]
    return (kind.forced if force else None) or kind.operation


__all__ = ["TYPES", "Candidate", "Changed", "Release", "Target", "Type", "Undone", "operation_of", "type_of"]
