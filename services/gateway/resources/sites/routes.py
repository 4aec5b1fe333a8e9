"""Sites: what is upgraded as one."""

from aiohttp import web

from services.gateway.commands.action import with_actions
from services.gateway.events.learning import Learning
from services.gateway.http.bodies import formed, hidden_faults, read_object, without
from services.gateway.http.pages import Page, page, start
from services.gateway.http.problems import Problem, unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import action_route, command_route, send
from services.gateway.resources.filters import refuse_unknown
from services.gateway.resources.resource import Resource
from services.gateway.resources.sites import actions, store
from services.gateway.resources.sites.projection import KINDS, learn_sites
from services.gateway.resources.sites.views import SiteQuery, SiteView
from shared.messages.base import ErrorCode, Fault
from shared.messages.strategy import ChangeSites, RemoveSites
from shared.messages.words import SiteName

OF_SITE = frozenset({"selection", "fleet"})
"""Fields of a change that the path gives, or that are constant."""


async def list_sites(call: Call) -> Page[SiteView]:
    """GET /v1/sites."""
    q = call.query
    (after,) = start(q, "")
    where = q.model_dump(include=set(store.FILTERS)) | {"labels": labels_of(q.label)}
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_sites(conn, after=after, limit=q.limit + 1, **where)
        await refuse_unknown(conn, rows, q)
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return page(Page[SiteView], shown, q, lambda row: [row["name"]])


def labels_of(texts: list[str]) -> dict[str, str] | None:
    """`["zone=north"]` -> `{"zone": "north"}`; None for none. Raises Problem 422."""
    wrong = [text for text in texts if not text.partition("=")[0] or "=" not in text]
    if wrong:
        message = "must be key=value, such as zone=north"
        code = ErrorCode.INVALID_FIELD
        raise Problem.of([Fault(code=code, field="label", message=message, value=text) for text in wrong])
    return {key: value for key, _, value in (text.partition("=") for text in texts)} or None


async def show_site(call: Call) -> SiteView:
    """GET /v1/sites/{name}."""
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_sites(conn, after="", limit=1, name=call.path["name"])
    if not rows:
        raise unknown("site", call.path["name"])
    return SiteView.model_validate(with_actions(rows[0], actions.ACTIONS, call.who.role))


async def change_site(call: Call) -> web.Response:
    """PATCH /v1/sites/{name}."""
    body = await read_object(call.request)
    facts = {key: value for key, value in body.items() if key not in OF_SITE}
    selection = {"sites": [call.path["name"]]}
    return await send(call, formed(ChangeSites, {**facts, "selection": selection}, faults=hidden_faults(body, OF_SITE)))


async def remove_site(call: Call) -> web.Response:
    """DELETE /v1/sites/{name}."""
    return await send(call, formed(RemoveSites, {"names": [call.path["name"]]}))


ROUTES = (
    Route("GET", "/v1/sites", list_sites, "Sites by name", query=SiteQuery, answer=Page[SiteView]),
    command_route("POST", "/v1/sites", actions.REGISTER, "Add sites, or replace them, all or none"),
    command_route("PATCH", "/v1/sites", actions.CHANGE, "Change the sites of a selection; what is left out stays"),
    Route("GET", "/v1/sites/{name}", show_site, "One site", answer=SiteView),
    action_route(
        "PATCH", "/v1/sites/{name}", actions.CHANGE, change_site, "Change a site; what is left out stays",
        without(ChangeSites, OF_SITE, "ChangeSiteBody"),
    ),
    action_route("DELETE", "/v1/sites/{name}", actions.REMOVE, remove_site, "Forget a site"),
)  # fmt: skip

RESOURCE = Resource(
    {"sites": "What is upgraded as one"},
    ROUTES,
    {"sites/{name}": SiteName},
    (Learning(learn_sites, KINDS),),
    actions=actions.ACTIONS,
)
