"""What the orchestrator tells of strategies, as other services read it."""

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


def planned(
    id_: str = "s", version: str | None = "2.0", own: tuple[str, ...] = (), catch_up: int = 0
) -> StrategyPlanned:
    spec = StrategySpec(
        name=f"name-{id_}", type="update" if version else "rollback", app="shop", version=version,
        catch_up_seconds=catch_up,
    )  # fmt: skip
    targets = tuple(TargetCount(version=one, sites=1) for one in own)
    return StrategyPlanned(strategy_id=id_, spec=spec, stages=(), targets=targets, created_at=AT)


def moved(state: StrategyState, id_: str = "s", at: datetime = AT) -> StrategyStateChanged:
    why = Why(code="x", message="x")
    return StrategyStateChanged(strategy_id=id_, name=f"name-{id_}", state=state, why=why, counts=Counts(), at=at)


def deleted(id_: str = "s") -> StrategyDeleted:
    return StrategyDeleted(strategy_id=id_, name=f"name-{id_}", at=AT)
