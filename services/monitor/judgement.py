"""What the knowledge of a stage means: how it goes, when it will end, whether it fails or fell silent. Pure."""

from datetime import UTC, datetime
from math import sqrt
from typing import Any, NamedTuple

from pydantic import Field

from services.monitor.domain import Kept, Limits, StageWatch, StrategyWatch, changed
from shared.messages.base import Event
from shared.messages.monitor import FailureRateHigh, StageForecast, StrategySilent
from shared.messages.words import StageState

Z = 1.645
"""Of the normal distribution: 5 % below, 5 % above, so 90 % of the ends fall within a forecast's range."""


OVERDUE_SECONDS = 10
"""A stage whose sites end many times a second is not overdue for the blink of an eye."""


class Mark(Kept):
    """What was said about a stage."""

    forecast_at: float = 0
    forecast_of: float = 0
    alarmed: bool = False
    silent_of: float = 0


class Told(Kept):
    """What was said about a strategy (written only where it is said), and the number of its last event."""

    sequence: int = 0
    marks: dict[int, Mark] = Field(default_factory=dict)


class Notice(NamedTuple):
    """Something to say. The same finding has the same identity, also when it is found again after a crash."""

    message: Event
    identity: str


def assess(
    watch: StrategyWatch, told: Told, limits: Limits, now: float, judge_silence: bool
) -> tuple[Told, list[Notice]]:
    """What is to be said now, and what will then have been said. `judge_silence`: whether all events were read."""
    notices: list[Notice] = []
    marks: dict[int, Mark] = {}
    for position, stage in watch.stages.items():
        about = _About(watch.strategy_id, position, stage, watch.soaks.get(position, 0), limits, now)
        mark = told.marks.get(position, Mark())
        mark = _forecast(about, mark, notices)
        mark = _alarm(about, mark, notices)
        marks[position] = _silence(about, mark, notices) if judge_silence else mark
    return changed(told, marks=marks), notices


class Window(NamedTuple):
    """What finished in the window, and over how many seconds: a young stage has fewer, a slow one may have more."""

    finished: int
    failed: int
    seconds: float

    @property
    def failure_rate(self) -> float:
        """Failed of finished; 0 when none finished."""
        return min(self.failed / self.finished, 1) if self.finished else 0


def window_of(stage: StageWatch, now: float, window_seconds: float) -> Window:
    """What happened to a stage in the last `window_seconds`."""
    before = [snapshot for snapshot in stage.ring if snapshot.at <= now - window_seconds]
    base, last = before[-1] if before else stage.ring[0], stage.ring[-1]
    return Window(last.finished - base.finished, last.failed - base.failed, now - base.at)


def eta(remaining: int, window: Window, sample: int) -> tuple[float, float] | None:
    """Seconds until the rest has finished, from the earliest to the latest likely; None when too few have so far."""
    if remaining == 0:
        return 0, 0
    if window.finished < sample or window.seconds <= 0:
        return None
    slow, fast = poisson_range(window.finished)
    return remaining * window.seconds / fast, remaining * window.seconds / slow


def poisson_range(count: int) -> tuple[float, float]:
    """Between which means a count of events lies with 90 % (Wilson and Hilferty's approximation), for count >= 1."""
    low = count * (1 - 1 / (9 * count) - Z / (3 * sqrt(count))) ** 3
    more = count + 1
    high = more * (1 - 1 / (9 * more) + Z / (3 * sqrt(more))) ** 3
    return max(low, 0.05), high


def patience(stage: StageWatch, limits: Limits) -> float:
    """For how many seconds a running stage may say nothing."""
    if not stage.longest_gap:
        return limits.silence_first_seconds
    return max(limits.silence_seconds, limits.silence_pace * stage.longest_gap)


class _About(NamedTuple):
    """A stage under judgement."""

    strategy_id: str
    position: int
    stage: StageWatch
    soak: int
    limits: Limits
    now: float

    @property
    def window(self) -> Window:
        return window_of(self.stage, self.now, self.limits.window_seconds)

    def facts(self) -> dict[str, Any]:
        """What every event about the stage says."""
        return {"strategy_id": self.strategy_id, "stage": self.position, "at": _moment(self.now)}

    def identity(self, what: str, of: float) -> str:
        return f"{what}/{self.strategy_id}/{self.position}/{of}"


def _forecast(about: _About, mark: Mark, notices: list[Notice]) -> Mark:
    """Tell how it goes: after each progress, and from time to time while it stands still."""
    stage, window = about.stage, about.window
    still = stage.state is StageState.RUNNING and about.now - mark.forecast_at >= about.limits.forecast_seconds
    if stage.at == mark.forecast_of and not still:
        return mark
    facts = about.facts() | _figures(about) | _ends(about, window)
    message = StageForecast(**facts, overdue=_overdue(about), failing=mark.alarmed)
    notices.append(Notice(message, about.identity("forecast", about.now)))
    return changed(mark, forecast_at=about.now, forecast_of=stage.at)


def _alarm(about: _About, mark: Mark, notices: list[Notice]) -> Mark:
    """Tell once that the failure rate is high; once more only after it was calm in between."""
    window, limits = about.window, about.limits
    if mark.alarmed:
        return changed(mark, alarmed=False) if window.failure_rate <= limits.failure_calm else mark
    if window.finished < limits.failure_sample or window.failure_rate < limits.failure_level:
        return mark
    message = FailureRateHigh(**about.facts(), **_figures(about))
    notices.append(Notice(message, about.identity("failing", about.stage.at)))
    return changed(mark, alarmed=True)


def _silence(about: _About, mark: Mark, notices: list[Notice]) -> Mark:
    """Tell once that a running stage fell silent; once more only after it spoke in between."""
    stage, silent = about.stage, about.now - about.stage.at
    expected = stage.state is StageState.RUNNING and stage.running > 0
    if not expected or mark.silent_of == stage.at or silent <= patience(stage, about.limits):
        return mark
    message = StrategySilent(**about.facts(), silent_seconds=int(silent), running=stage.running)
    notices.append(Notice(message, about.identity("silent", stage.at)))
    return changed(mark, silent_of=stage.at)


def _figures(about: _About) -> dict[str, Any]:
    window = about.window
    return {
        "window_seconds": about.limits.window_seconds,
        "finished_in_window": window.finished,
        "failed_in_window": window.failed,
        "failure_rate": window.failure_rate,
    }


def _ends(about: _About, window: Window) -> dict[str, datetime | None]:
    stage = about.stage
    if _overdue(about):
        return {"eta_low": None, "eta_high": None}
    found = eta(stage.remaining, window, about.limits.eta_sample)
    if found is None:
        return {"eta_low": None, "eta_high": None}
    since = about.now if stage.remaining else stage.at  # a soaking stage ends by the clock
    low, high = (_moment(since + seconds + about.soak) for seconds in found)
    return {"eta_low": low, "eta_high": high}


def _overdue(about: _About) -> bool:
    """Whether those that run take longer than any before them: what the others did says nothing of their end."""
    stage = about.stage
    if stage.state is not StageState.RUNNING or not stage.running or not stage.longest_gap:
        return False
    return about.now - stage.moved_at > max(about.limits.silence_pace * stage.longest_gap, OVERDUE_SECONDS)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
