"""Short ways to write the life of a stage: seconds from a beginning, and counts."""

from datetime import UTC, datetime
from typing import Any

from services.monitor.domain import Limits, StrategyWatch, progressed
from shared.messages.strategy import Counts, StageProgressed
from shared.messages.words import StageState

START = 1_790_000_000.0
LIMITS = Limits()
NEW = StrategyWatch(strategy_id="s-1", partition=0)


def moment(second: float) -> datetime:
    return datetime.fromtimestamp(START + second, UTC)


def progress(
    second: float, done: int, failed: int = 0, running: int = 2, total: int = 100, stage: int = 0, **more: Any
) -> StageProgressed:
    waiting = max(total - done - failed - running, 0)
    counts = Counts(waiting=waiting, running=running, complete=done, failed=failed)
    facts = {"name": "all", "state": StageState.RUNNING, "max_parallel": 2, **more}
    return StageProgressed(strategy_id="s-1", stage=stage, counts=counts, at=moment(second), **facts)


def watched(*events: StageProgressed, limits: Limits = LIMITS) -> StrategyWatch:
    """What is known after these events."""
    watch = NEW
    for event in events:
        watch = progressed(watch, event, limits)
    return watch
