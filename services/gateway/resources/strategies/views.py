"""Strategies, stages, steps and timeline as the API shows them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging
from shared.messages.deployer import Cause
from shared.messages.opening import Open
from shared.messages.words import StageState, StepState, StrategyState


class WhyView(BaseModel):
    """Why something waits or stopped: a code for programs, a line for people."""

    code: str
    message: str


class CountsView(BaseModel):
    """Sites by the state of their step."""

    waiting: int = 0
    running: int = 0
    complete: int = 0
    failed: int = 0
    aborted: int = 0


class ForecastView(BaseModel):
    """The monitor's advice on a running stage."""

    failure_rate: float
    eta_low: datetime | None = Field(description="never in the past; null = it cannot tell")
    eta_high: datetime | None
    overdue: bool = Field(description="it should have ended by now: it waits for the sites that run")


class ShareView(BaseModel):
    """How many sites of a stage belong to one group, or carry one value of the label that it is spread over."""

    of: str = Field(description="name of the group, or value of the label; empty = has none")
    sites: int


class StageView(BaseModel):
    """One wave."""

    position: int
    name: str
    state: Open[StageState]
    counts: CountsView
    max_parallel: int
    soak_seconds: int
    why: WhyView | None = Field(description="why it is not further; null = it has ended")
    warning: WhyView | None = Field(description="what the monitor advises, until it no longer holds")
    spread: list[ShareView] = Field(description="its sites by group or label as planned, the largest first")
    spread_more: int = Field(description="so many more groups or values are not listed")
    forecast: ForecastView | None


class ExcludedView(BaseModel):
    """A site that the plan leaves out, and why."""

    site: str
    code: str
    message: str


class TargetView(BaseModel):
    """How many sites go to a release."""

    version: str
    sites: int


class StrategySummary(BaseModel):
    """A strategy as the list shows it."""

    strategy_id: str
    name: str
    spec: dict[str, Any] | None
    state: Open[StrategyState]
    why: WhyView | None
    counts: CountsView
    stages: list[StageView]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deleted: bool
    excluded_count: int = Field(description="so many selected sites take no part")
    actions: list[str] = Field(
        description="what you may do with it now: apply, pause, resume, abort, cancel_running, retry, skip, undo …"
    )


class StrategyView(StrategySummary):
    """A strategy with the sites its plan leaves out (the first 1,000; `excluded_count` is exact)."""

    excluded: list[ExcludedView]
    targets: list[TargetView] = Field(
        description="where each site has its own release to reach, the commonest first; empty = that of the spec"
    )


class StepView(BaseModel):
    """One site's part of a strategy. `why` is its own, or that of its stage while it waits."""

    site: str
    stage: int
    state: Open[StepState]
    attempt: int
    operation_id: str | None
    target: str | None = Field(description="the release it is to reach; null = that of the spec")
    why: WhyView | None
    updated_at: datetime


class AttemptView(BaseModel):
    """One operation of a step. `attempt` is its number: those that were refused had no operation and are not listed."""

    attempt: int
    operation_id: str
    state: Literal["queued", "running", "succeeded", "failed"]
    phase: str | None = Field(description="where it is, or where it failed")
    percent: int | None
    cause: Cause | None
    last_lines: list[str] = Field(description="what the failed components said last; at most 50 lines, 16 kB")
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None


class StepDetail(StepView):
    """A step with its attempts, the first one first (at most 100)."""

    attempts: list[AttemptView]


class TimelineView(BaseModel):
    """Something that happened to a strategy."""

    at: datetime
    kind: str = Field(description="strategy, stage, site or advice")
    code: str
    message: str
    stage: int | None


class StrategyQuery(Paging):
    """Filters of strategies."""

    state: StrategyState | None = None
    deleted: bool = Field(default=False, description="also those that were put away")


class StepQuery(Paging):
    """Filters of steps."""

    stage: int | None = Field(default=None, ge=0, le=100_000)
    state: StepState | None = None
