"""Strategy types: what each does to a site, and which sites it leaves out. One short pure file each.

To add a type: add it to `words.StrategyType`, write its module here with a `TYPE`, and enter it in `TYPES`.
"""

from services.strategy_orchestrator.strategies import (
    apply,
    prestage,
    rehearse,
    remove,
    rollback,
    undo,
    update,
    upgrade,
)
from services.strategy_orchestrator.strategies.site import Candidate, Changed, Release, Target, Undone
from services.strategy_orchestrator.strategies.strategy_type import Type
from shared.messages.strategy import StrategySpec
from shared.messages.words import OperationKind, StrategyType

TYPES: dict[StrategyType, Type] = {
    StrategyType.PRESTAGE: prestage.TYPE,
    StrategyType.APPLY: apply.TYPE,
    StrategyType.UPDATE: update.TYPE,
    StrategyType.ROLLBACK: rollback.TYPE,
    StrategyType.REMOVE: remove.TYPE,
}

UNAVAILABLE: dict[StrategyType, str] = {
    StrategyType.UPGRADE: upgrade.REASON,
    StrategyType.REHEARSE: rehearse.REASON,
}
"""Types that are known and cannot be done, and why."""

UNDO = undo.TYPE
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


__all__ = [
    "TYPES", "UNAVAILABLE", "Candidate", "Changed", "Release", "Target", "Type", "Undone", "operation_of", "type_of",
]  # fmt: skip
