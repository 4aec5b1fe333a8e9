"""What a strategy type is made of: one value of this a file."""

from collections.abc import Callable
from dataclasses import dataclass

from services.strategy_orchestrator.strategies.site import Candidate, Target
from services.strategy_orchestrator.strategies.site_state import STANDING, Heed
from shared.messages.strategy import Why
from shared.messages.words import OperationKind

Judge = Callable[[Candidate, Target], Why | None]
"""Why this site is left out; None when it takes part."""

Goal = Callable[[Candidate, Target], str | None]
"""The release that this site is to reach."""


def same_for_all(_: Candidate, target: Target) -> str | None:
    """The release of the strategy."""
    return target.version


@dataclass(frozen=True, slots=True)
class Type:
    """What a strategy does to a site, and which sites it leaves out. A type is registered by the name in `TYPES`."""

    operation: OperationKind
    judge: Judge
    forced: OperationKind | None = None
    """The operation with `force`: a release is not updated to itself, but may be applied again."""
    goal: Goal = same_for_all
    heeds: tuple[Heed, ...] = STANDING
    """Which states of a site keep it out, asked in this order."""
    no_way_back: str = ""
    """Why a strategy of this type cannot be undone; empty = it can."""
