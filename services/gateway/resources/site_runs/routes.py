"""Runs over the apps of a site: all of them updated, or taken back, with one report."""

from aiohttp import web

from services.gateway.commands.action import with_actions
from services.gateway.events.learning import Learning
from services.gateway.http.bodies import formed, hidden_faults, read_object, without
from services.gateway.http.pages import LARGEST, Page, page, start
from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import action_route, command_route, send
from services.gateway.resources.filters import refuse_unknown
from services.gateway.resources.resource import Resource
from services.gateway.resources.site_runs import actions, store
from services.gateway.resources.site_runs.projection import KINDS, learn_runs
from services.gateway.resources.site_runs.views import SiteRunQuery, SiteRunView
from shared.messages.deployer import CancelAll
from shared.messages.words import Identifier, SiteName

OF_RUN = frozenset({"site", "run_id"})
"""Fields of a cancellation that the path gives."""


async def list_runs(call: Call) -> Page[SiteRunView]:
    """GET /v1/site-runs."""
    q = call.query
    (before,) = start(q, LARGEST)
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_runs(conn, before, q.limit + 1, site=q.site, state=q.state)
        await refuse_unknown(conn, rows, q)
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return page(Page[SiteRunView], shown, q, lambda row: [row["position"]])


async def show_run(call: Call) -> SiteRunView:
    """GET /v1/site-runs/{run_id}."""
    async with call.gateway.pool.acquire() as conn:
        row = await store.find_run(conn, call.path["run_id"])
    if row is None:
        raise unknown("run", call.path["run_id"])
    return SiteRunView.model_validate(with_actions(row, actions.ACTIONS, call.who.role))


async def cancel_run(call: Call) -> web.Response:
    """POST /v1/site-runs/{run_id}/cancel."""
    body = await read_object(call.request)
    run = await show_run(call)
    facts = {name: value for name, value in body.items() if name not in OF_RUN}
    command = formed(CancelAll, {**facts, "site": run.site, "run_id": run.run_id}, faults=hidden_faults(body, OF_RUN))
    return await send(call, command)


ROUTES = (
    Route(
        "GET", "/v1/site-runs", list_runs, "Runs over the apps of sites, the newest first",
        query=SiteRunQuery, answer=Page[SiteRunView],
    ),
    Route("GET", "/v1/site-runs/{run_id}", show_run, "One run, and its report", answer=SiteRunView),
    command_route("POST", "/v1/sites/{site}/run-all", actions.REQUEST, "Update all apps of a site, or take them back"),
    action_route(
        "POST", "/v1/site-runs/{run_id}/cancel", actions.CANCEL, cancel_run, "Stop a run",
        without(CancelAll, OF_RUN, "CancelAllBody"),
    ),
)  # fmt: skip

RESOURCE = Resource(
    {"site-runs": "All apps of a site updated or taken back, one after the other"},
    ROUTES,
    {"site-runs/{run_id}": Identifier, "sites/{site}": SiteName},
    (Learning(learn_runs, KINDS),),
    actions=actions.ACTIONS,
)
