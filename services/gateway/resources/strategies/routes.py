"""Strategies, their stages, steps and timeline."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import asyncpg

from services.gateway.commands.action import with_actions
from services.gateway.domain import Role
from services.gateway.events.learning import Learning
from services.gateway.http.pages import END_OF_TIME, Page, Paging, page, start
from services.gateway.http.problems import MAX_SPEC_BYTES, unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import command_route
from services.gateway.resources.resource import Resource
from services.gateway.resources.strategies import actions, advice
from services.gateway.resources.strategies import reads as store
from services.gateway.resources.strategies.advice import learn_advice
from services.gateway.resources.strategies.projection import KINDS, learn_strategies
from services.gateway.resources.strategies.views import (
    StepDetail,
    StepQuery,
    StepView,
    StrategyQuery,
    StrategySummary,
    StrategyView,
    TimelineView,
)
from shared.messages.words import Identifier, SiteName, StepState
from shared.process.db import Connection, snapshot

COUNTED = tuple(StepState)

MOST_ATTEMPTS = 100
"""Of a step, shown together."""


async def list_strategies(call: Call) -> Page[StrategySummary]:
    """GET /v1/strategies."""
    q = call.query
    before = start(q, END_OF_TIME, "")
    async with snapshot(call.gateway.pool) as conn:
        rows = await store.page(conn, before, q.limit + 1, state=q.state, deleted=q.deleted)
        stages = await store.stages_of(conn, [row["strategy_id"] for row in rows])
    items = [_with_stages(row, stages[row["strategy_id"]], call.who.role) for row in rows]
    return page(Page[StrategySummary], items, q, lambda row: [row["created_at"], row["strategy_id"]])


async def show(call: Call) -> StrategyView:
    """GET /v1/strategies/{strategy}."""
    async with snapshot(call.gateway.pool) as conn:
        row = await found(conn, call.path["strategy"])
        stages = await store.stages_of(conn, [row["strategy_id"]])
    return StrategyView.model_validate(_with_stages(row, stages[row["strategy_id"]], call.who.role))


async def found(conn: Connection, key: str) -> asyncpg.Record:
    """The strategy with this id, or with this name and not deleted. Raises Problem 404."""
    if (row := await store.find(conn, key)) is None:
        raise unknown("strategy", key)
    return row


def _with_stages(row: asyncpg.Record, stages: Sequence[dict[str, Any]], role: Role) -> dict[str, Any]:
    """The counts of a strategy are the sums of its stages', which are newer than those of its last change of state."""
    shown = [{**stage, "counts": {state: stage[state] for state in COUNTED}} for stage in stages]
    total = {state: sum(stage[state] for stage in stages) for state in COUNTED}
    return with_actions({**row, "stages": shown, "counts": total}, actions.ACTIONS, role)


async def list_steps(call: Call) -> Page[StepView]:
    """GET /v1/strategies/{strategy}/steps."""
    q = call.query
    after = start(q, -1, "")
    async with snapshot(call.gateway.pool) as conn:
        strategy = await found(conn, call.path["strategy"])
        named = {"stage": q.stage, "state": q.state}
        rows = await store.steps(conn, strategy["strategy_id"], after, q.limit + 1, **named)
    return page(Page[StepView], rows, q, lambda row: [row["stage"], row["site"]])


async def show_step(call: Call) -> StepDetail:
    """GET /v1/strategies/{strategy}/steps/{site}."""
    site = call.path["site"]
    async with snapshot(call.gateway.pool) as conn:
        strategy_id = (await found(conn, call.path["strategy"]))["strategy_id"]
        step = await store.step(conn, strategy_id, site)
        attempts = await store.attempts_of(conn, strategy_id, site, MOST_ATTEMPTS) if step else []
    if step is None:
        raise unknown("step", site)
    numbered = [{**attempt, "attempt": _number(attempt["operation_id"])} for attempt in attempts]
    return StepDetail.model_validate({**step, "attempts": sorted(numbered, key=itemgetter("attempt"))})


def _number(operation_id: str) -> int:
    """The last part of the id of a step's operation: `<strategy>.<position>.<attempt>`."""
    return int(operation_id.rpartition(".")[2])


async def list_timeline(call: Call) -> Page[TimelineView]:
    """GET /v1/strategies/{strategy}/timeline."""
    (after,) = start(call.query, 0)
    async with snapshot(call.gateway.pool) as conn:
        strategy = await found(conn, call.path["strategy"])
        rows = await store.timeline(conn, strategy["strategy_id"], after, call.query.limit + 1)
    return page(Page[TimelineView], rows, call.query, lambda row: [row["position"]])


ONE = "/v1/strategies/{strategy}"

ROUTES = (
    Route(
        "GET", "/v1/strategies", list_strategies, "Strategies, newest first",
        query=StrategyQuery, answer=Page[StrategySummary],
    ),
    command_route(
        "POST", "/v1/strategies", actions.CREATE, "Validate a roll-out and plan it",
        inside="spec", most=MAX_SPEC_BYTES,
    ),
    Route("GET", ONE, show, "One strategy, by id or name", answer=StrategyView),
    Route("GET", f"{ONE}/steps", list_steps, "Its steps by stage and site", query=StepQuery, answer=Page[StepView]),
    Route(
        "GET", f"{ONE}/steps/{{site}}", show_step, "One of them, with its attempts: times, cause, last lines",
        answer=StepDetail,
    ),
    Route("GET", f"{ONE}/timeline", list_timeline, "What happened", query=Paging, answer=Page[TimelineView]),
    command_route("POST", f"{ONE}/apply", actions.APPLY, "Start it"),
    command_route("POST", f"{ONE}/pause", actions.PAUSE, "Start no further site"),
    command_route("POST", f"{ONE}/resume", actions.RESUME, "Go on"),
    command_route("POST", f"{ONE}/abort", actions.ABORT, "Start no other site; running ones finish, or are cancelled"),
    command_route(
        "POST", f"{ONE}/cancel-running", actions.CANCEL_RUNNING, "Stop running sites and recover them: all, or some"
    ),
    command_route("POST", f"{ONE}/recount", actions.RECOUNT, "Count its sites anew, once its counts did not fit"),
    command_route("POST", f"{ONE}/retry", actions.RETRY, "Try failed and aborted sites again: all, or some"),
    command_route("POST", f"{ONE}/skip", actions.SKIP, "Leave waiting sites out"),
    command_route(
        "POST", f"{ONE}/undo", actions.UNDO, "Plan the way back for exactly the sites it changed"
    ),
    command_route("DELETE", ONE, actions.DELETE, "Put it away; its history stays"),
)  # fmt: skip


RESOURCE = Resource(
    {"strategies": "Roll-outs over many sites"},
    ROUTES,
    {"strategies/{strategy}": Identifier, "steps/{site}": SiteName},
    (Learning(learn_strategies, KINDS), Learning(learn_advice, advice.KINDS)),
    actions=actions.ACTIONS,
)
