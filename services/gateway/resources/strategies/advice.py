"""The monitor's advice: forecasts of running stages, and warnings for the timeline."""

from collections.abc import Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.strategies import store
from services.gateway.resources.strategies.store import ForecastRow, TimelineRow
from shared.messages import monitor
from shared.wire.codec import Envelope


async def learn_advice(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Forecasts are replaced, warnings told once."""
    if forecasts := newest_forecasts(events):
        await store.put_forecasts(tx.conn, forecasts)
    if warnings := [row for row in map(_warning, events) if row]:
        await store.add_to_timeline(tx.conn, warnings)


def newest_forecasts(events: Sequence[Envelope[Any]]) -> list[ForecastRow]:
    """The last forecast of each stage."""
    rows: dict[tuple[str, int], ForecastRow] = {}
    for event in events:
        if isinstance(f := event.data, monitor.StageForecast):
            key, seen = (f.strategy_id, f.stage), rows.get((f.strategy_id, f.stage))
            if seen is None or seen.at <= f.at:
                rows[key] = ForecastRow(*key, f.failure_rate, f.eta_low, f.eta_high, f.overdue, f.at)
    return list(rows.values())


def _warning(event: Envelope[Any]) -> TimelineRow | None:
    w = event.data
    if isinstance(w, monitor.FailureRateHigh):
        message = f"{w.failed_in_window} of {w.finished_in_window} failed in the last {w.window_seconds} s"
        return TimelineRow(event.id, w.strategy_id, w.at, "advice", "failure_rate_high", message, w.stage)
    if isinstance(w, monitor.StrategySilent):
        message = f"nothing was heard for {w.silent_seconds} s while {w.running} sites run"
        return TimelineRow(event.id, w.strategy_id, w.at, "advice", "silent", message, w.stage)
    return None


KINDS = (monitor.StageForecast, monitor.FailureRateHigh, monitor.StrategySilent)
