"""Operations on single sites."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from services.gateway.api.bodies import formed, hidden_faults, read_object, without
from services.gateway.api.commands import CommandAnswer
from services.gateway.api.filters import refuse_unknown
from services.gateway.api.pages import LARGEST, Page, Paging, page, start
from services.gateway.api.problems import unknown
from services.gateway.api.routes import Call, Route
from services.gateway.api.sending import command_route, send
from services.gateway.domain import Role
from services.gateway.store import operations as store
from services.gateway.store import strategy_views
from shared.messages.deployer import CancelOperation, Cause, ComponentDecision, PhaseResult, RequestOperation
from shared.messages.words import OperationKind

OF_OPERATION = frozenset({"site", "operation_id"})
"""Fields of a cancellation that the operation itself gives."""


class OperationView(BaseModel):
    """One job on one site, from request to its verified end.

    Of an operation that a strategy asked for, `requested_at` is when work on it began.
    """

    operation_id: str
    site: str
    app: str
    kind: OperationKind
    state: Literal["queued", "running", "succeeded", "failed"]
    phase: str | None
    percent: int | None
    from_version: str | None
    to_version: str | None
    version: str | None
    recovered: bool | None
    cause: Cause | None
    plan: list[ComponentDecision]
    phases: list[PhaseResult]
    strategy_id: str | None
    requested_at: datetime
    finished_at: datetime | None
    seconds: float | None


class OperationDetail(OperationView):
    """An operation with all that it left to learn from."""

    last_lines: list[str] = Field(description="what the failed components said last; at most 50 lines, 16 kB")


class OperationQuery(Paging):
    """Filters of operations."""

    site: str | None = None
    app: str | None = None
    state: Literal["queued", "running", "succeeded", "failed"] | None = None
    strategy: str | None = None


async def list_operations(call: Call) -> Page[OperationView]:
    """GET /v1/operations."""
    q = call.query
    (before,) = start(q, LARGEST)
    where: dict[str, Any] = {"site": q.site, "app": q.app, "state": q.state}
    async with call.gateway.pool.acquire() as conn:
        if q.strategy is not None:
            strategy = await strategy_views.find(conn, q.strategy)
            where["strategy_id"] = strategy["strategy_id"] if strategy else q.strategy
        rows = await store.find_all(conn, before, q.limit + 1, **where)
        await refuse_unknown(conn, rows, q)
    return page(Page[OperationView], rows, q, lambda row: [row["position"]])


async def show(call: Call) -> OperationDetail:
    """GET /v1/operations/{operation_id}."""
    return OperationDetail.model_validate(dict(await _found(call)))


async def cancel(call: Call) -> web.Response:
    """POST /v1/operations/{operation_id}/cancel: the site is that of the operation."""
    body = await read_object(call.request)
    operation = await _found(call)
    facts = {**body, "operation_id": operation["operation_id"], "site": operation["site"]}
    return await send(call, formed(CancelOperation, facts, faults=hidden_faults(body, OF_OPERATION)))


async def _found(call: Call) -> Any:
    async with call.gateway.pool.acquire() as conn:
        row = await store.find(conn, call.path["operation_id"])
    if row is None:
        raise unknown("operation", call.path["operation_id"])
    return row


ROUTES = (
    Route(
        "GET", "/v1/operations", list_operations, "Operations, newest first",
        query=OperationQuery, answer=Page[OperationView],
    ),
    command_route("POST", "/v1/operations", RequestOperation, "Do one job on one site, or only plan it (preview)"),
    Route("GET", "/v1/operations/{operation_id}", show, "One operation, with its evidence", answer=OperationDetail),
    Route(
        "POST", "/v1/operations/{operation_id}/cancel", cancel, "Stop at the next safe point and recover",
        Role.OPERATOR, body=without(CancelOperation, OF_OPERATION), answer=CommandAnswer, status=202, command=True,
    ),
)  # fmt: skip
