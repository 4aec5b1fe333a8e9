"""What the deployer does by itself: how apps behave, which releases failed, what is not as it was left."""

from services.gateway.commands.action import with_actions
from services.gateway.events.learning import Learning
from services.gateway.http.pages import Page, Paging, page, start
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import command_route
from services.gateway.resources.automatic import actions, store
from services.gateway.resources.automatic.projection import FACTS, FOUND, learn_drift, learn_facts
from services.gateway.resources.automatic.views import (
    BehaviourView,
    DriftQuery,
    DriftView,
    FailedReleaseQuery,
    FailedReleaseView,
)
from services.gateway.resources.filters import refuse_unknown
from services.gateway.resources.resource import Resource
from shared.messages.words import Name, Version


async def list_behaviours(call: Call) -> Page[BehaviourView]:
    """GET /v1/behaviours."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_behaviours(conn, after, call.query.limit + 1)
    shown = [with_actions(row, actions.OF_APPS, call.who.role) for row in rows]
    return page(Page[BehaviourView], shown, call.query, lambda row: [row["app"]])


async def list_failed(call: Call) -> Page[FailedReleaseView]:
    """GET /v1/failed-releases."""
    q = call.query
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_failed(conn, start(q, "", ""), q.limit + 1, q.app)
        await refuse_unknown(conn, rows, q)
    shown = [with_actions(row, (actions.CLEAR,), call.who.role) for row in rows]
    return page(Page[FailedReleaseView], shown, q, lambda row: [row["app"], row["version"]])


async def list_drift(call: Call) -> Page[DriftView]:
    """GET /v1/drift."""
    q = call.query
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_drift(conn, start(q, "", ""), q.limit + 1, site=q.site, app=q.app)
        await refuse_unknown(conn, rows, q)
    return page(Page[DriftView], rows, q, lambda row: [row["site"], row["app"]])


ROUTES = (
    Route(
        "GET", "/v1/behaviours", list_behaviours, "What people said of what is done by itself with apps",
        query=Paging, answer=Page[BehaviourView],
    ),
    command_route("PATCH", "/v1/behaviours/{app}", actions.SET, "Switch what is done by itself with an app"),
    command_route("POST", "/v1/apps/{app}/reapply", actions.REAPPLY, "Have an app applied again where it runs"),
    Route(
        "GET", "/v1/failed-releases", list_failed, "Releases that failed",
        query=FailedReleaseQuery, answer=Page[FailedReleaseView],
    ),
    command_route(
        "POST", "/v1/failed-releases/{app}/{version}/clear", actions.CLEAR, "Let a release be chosen again that failed"
    ),
    Route(
        "GET", "/v1/drift", list_drift, "What is not as it was left", query=DriftQuery, answer=Page[DriftView]
    ),
)  # fmt: skip

RESOURCE = Resource(
    {
        "behaviours": "What is done by itself with apps",
        "failed-releases": "Releases that nothing chooses by itself",
        "drift": "What is not as it was left",
    },
    ROUTES,
    {
        "behaviours/{app}": Name, "apps/{app}": Name,
        "failed-releases/{app}": Name, "{app}/{version}": Version,
    },
    (Learning(learn_facts, FACTS), Learning(learn_drift, FOUND)),
    actions=actions.ACTIONS,
)  # fmt: skip
