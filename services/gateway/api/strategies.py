"""Strategies, their stages, steps and timeline."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
from pydantic import BaseModel, Field

from services.gateway.api.pages import Page, Paging, page, start
from services.gateway.api.problems import MAX_SPEC_BYTES, unknown
from services.gateway.api.releases import END_OF_TIME
from services.gateway.api.routes import Call, Route
from services.gateway.api.sending import command_route
from services.gateway.store import strategy_views as store
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CancelRunning,
    CreateStrategy,
    DeleteStrategy,
    PauseStrategy,
    ResumeStrategy,
    RetryFailed,
    UndoStrategy,
)
from shared.messages.words import StageState, StepState, StrategyState
from shared.process.db import Connection, snapshot

COUNTED = tuple(StepState)


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
    state: StageState
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
    state: StrategyState
    why: WhyView | None
    counts: CountsView
    stages: list[StageView]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deleted: bool
    excluded_count: int = Field(description="so many selected sites take no part")


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
    state: StepState
    attempt: int
    operation_id: str | None
    target: str | None = Field(description="the release it is to reach; null = that of the spec")
    why: WhyView | None
    updated_at: datetime


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


async def list_strategies(call: Call) -> Page[StrategySummary]:
    """GET /v1/strategies."""
    q = call.query
    before = start(q, END_OF_TIME, "")
    async with snapshot(call.gateway.pool) as conn:
        rows = await store.page(conn, before, q.limit + 1, state=q.state, deleted=q.deleted)
        stages = await store.stages_of(conn, [row["strategy_id"] for row in rows])
    items = [_with_stages(row, stages[row["strategy_id"]]) for row in rows]
    return page(Page[StrategySummary], items, q, lambda row: [row["created_at"], row["strategy_id"]])


async def show(call: Call) -> StrategyView:
    """GET /v1/strategies/{strategy}."""
    async with snapshot(call.gateway.pool) as conn:
        row = await found(conn, call.path["strategy"])
        stages = await store.stages_of(conn, [row["strategy_id"]])
    return StrategyView.model_validate(_with_stages(row, stages[row["strategy_id"]]))


async def found(conn: Connection, key: str) -> asyncpg.Record:
    """The strategy with this id, or with this name and not deleted. Raises Problem 404."""
    if (row := await store.find(conn, key)) is None:
        raise unknown("strategy", key)
    return row


def _with_stages(row: asyncpg.Record, stages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The counts of a strategy are the sums of its stages', which are newer than those of its last change of state."""
    shown = [{**stage, "counts": {state: stage[state] for state in COUNTED}} for stage in stages]
    total = {state: sum(stage[state] for stage in stages) for state in COUNTED}
    return {**row, "stages": shown, "counts": total}


async def list_steps(call: Call) -> Page[StepView]:
    """GET /v1/strategies/{strategy}/steps."""
    q = call.query
    after = start(q, -1, "")
    async with snapshot(call.gateway.pool) as conn:
        strategy = await found(conn, call.path["strategy"])
        named = {"stage": q.stage, "state": q.state}
        rows = await store.steps(conn, strategy["strategy_id"], after, q.limit + 1, **named)
    return page(Page[StepView], rows, q, lambda row: [row["stage"], row["site"]])


async def list_timeline(call: Call) -> Page[TimelineView]:
    """GET /v1/strategies/{strategy}/timeline."""
    (after,) = start(call.query, 0)
    async with snapshot(call.gateway.pool) as conn:
        strategy = await found(conn, call.path["strategy"])
        rows = await store.timeline(conn, strategy["strategy_id"], after, call.query.limit + 1)
    return page(Page[TimelineView], rows, call.query, lambda row: [row["position"]])


async def _shown(conn: Connection, commands: Mapping[str, CreateStrategy | UndoStrategy]) -> set[str]:
    return await store.known(conn, list(commands))


ONE = "/v1/strategies/{strategy}"
ROUTES = (
    Route(
        "GET", "/v1/strategies", list_strategies, "Strategies, newest first",
        query=StrategyQuery, answer=Page[StrategySummary],
    ),
    command_route(
        "POST", "/v1/strategies", CreateStrategy, "Validate a roll-out and plan it",
        inside="spec", shown=_shown, most=MAX_SPEC_BYTES,
    ),
    Route("GET", ONE, show, "One strategy, by id or name", answer=StrategyView),
    Route("GET", f"{ONE}/steps", list_steps, "Its steps by stage and site", query=StepQuery, answer=Page[StepView]),
    Route("GET", f"{ONE}/timeline", list_timeline, "What happened", query=Paging, answer=Page[TimelineView]),
    command_route("POST", f"{ONE}/apply", ApplyStrategy, "Start it"),
    command_route("POST", f"{ONE}/pause", PauseStrategy, "Start no further site"),
    command_route("POST", f"{ONE}/resume", ResumeStrategy, "Go on"),
    command_route("POST", f"{ONE}/abort", AbortStrategy, "Let running sites finish, start no other"),
    command_route("POST", f"{ONE}/cancel-running", CancelRunning, "Stop running sites and recover them: all, or some"),
    command_route("POST", f"{ONE}/retry", RetryFailed, "Try failed and aborted sites again"),
    command_route(
        "POST", f"{ONE}/undo", UndoStrategy, "Plan the way back for exactly the sites it changed", shown=_shown
    ),
    command_route("DELETE", ONE, DeleteStrategy, "Put it away; its history stays"),
)  # fmt: skip
