"""What the orchestrator tells of strategies, as other services read it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from shared.messages.strategy import (
    Counts,
    StrategyDeleted,
    StrategyPlanned,
    StrategySpec,
    StrategyStateChanged,
    TargetCount,
    Why,
)
from shared.messages.words import StrategyState

AT = datetime(2026, 1, 1, tzinfo=UTC)


def planned(id_: str = "s", version: str | None = "2.0", own: Sequence[str] = (), at: datetime = AT) -> StrategyPlanned:
    """One that leads to a release, or back to those that sites had."""
    kind = "update" if version else "rollback"
    spec = StrategySpec(name=f"name-{id_}", type=kind, app="shop", version=version)
    targets = tuple(TargetCount(version=one, sites=1) for one in own)
    return StrategyPlanned(strategy_id=id_, spec=spec, stages=(), targets=targets, created_at=at)


def moved(
    state: StrategyState, id_: str = "s", at: datetime = AT, catch_up_until: datetime | None = None
) -> StrategyStateChanged:
    """It came into a state."""
    return StrategyStateChanged(
        strategy_id=id_,
        name=f"name-{id_}",
        state=state,
        why=Why(code="x", message="x"),
        counts=Counts(),
        catch_up_until=catch_up_until,
        at=at,
    )


def deleted(id_: str = "s") -> StrategyDeleted:
    """It was put away."""
    return StrategyDeleted(strategy_id=id_, name=f"name-{id_}", at=AT)
