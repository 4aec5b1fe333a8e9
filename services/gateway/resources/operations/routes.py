"""Operations on single sites."""

from typing import Any

from aiohttp import web

from services.gateway.commands.action import with_actions
from services.gateway.events.learning import Learning
from services.gateway.http.bodies import formed, hidden_faults, read_object, without
from services.gateway.http.pages import LARGEST, Page, page, start
from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import action_route, command_route, send
from services.gateway.resources.filters import refuse_unknown
from services.gateway.resources.operations import actions, store
from services.gateway.resources.operations.projection import KINDS, by_itself, learn_operations, learn_requests
from services.gateway.resources.operations.views import OperationDetail, OperationQuery, OperationView
from services.gateway.resources.resource import Resource
from services.gateway.resources.strategies import reads as strategy_views
from shared.messages.deployer import CancelOperation, OperationsSucceeded, RequestOperation
from shared.messages.words import Identifier

OF_OPERATION = frozenset({"site", "operation_id"})
"""Fields of a cancellation that the operation itself gives."""


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
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return page(Page[OperationView], shown, q, lambda row: [row["position"]])


async def show(call: Call) -> OperationDetail:
    """GET /v1/operations/{operation_id}."""
    return OperationDetail.model_validate(with_actions(await _found(call), actions.ACTIONS, call.who.role))


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
    command_route("POST", "/v1/operations", actions.REQUEST, "Do one job on one site, or only plan it (preview)"),
    Route("GET", "/v1/operations/{operation_id}", show, "One operation, with its evidence", answer=OperationDetail),
    action_route(
        "POST", "/v1/operations/{operation_id}/cancel", actions.CANCEL, cancel,
        "Stop at the next safe point and recover", without(CancelOperation, OF_OPERATION),
    ),
)  # fmt: skip


RESOURCE = Resource(
    {"operations": "Jobs on single sites"},
    ROUTES,
    {"operations/{operation_id}": Identifier},
    (Learning(learn_operations, KINDS, hidden=(OperationsSucceeded,), shown=by_itself),),
    after_answers={RequestOperation.TYPE: learn_requests},
    actions=actions.ACTIONS,
)
