"""Releases: versions of apps."""

from aiohttp import web

from services.gateway.commands.action import with_actions
from services.gateway.events.learning import Learning
from services.gateway.http.bodies import formed, hidden_faults, read_object, without
from services.gateway.http.pages import END_OF_TIME, Page, page, start
from services.gateway.http.problems import Problem, unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import action_route, command_route, send
from services.gateway.resources.filters import refuse_unknown
from services.gateway.resources.releases import actions, store
from services.gateway.resources.releases.projection import KINDS, learn_releases
from services.gateway.resources.releases.views import ContentView, ReleaseQuery, ReleaseView
from services.gateway.resources.resource import Resource
from shared.messages.base import Fault
from shared.messages.catalog import DeleteRelease
from shared.messages.opening import IN_AN_EVENT
from shared.messages.words import Name, Version


async def list_releases(call: Call) -> Page[ReleaseView]:
    """GET /v1/releases."""
    q = call.query
    before = start(q, END_OF_TIME, "", "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_releases(conn, before, q.limit + 1, app=q.app, state=q.state)
        await refuse_unknown(conn, rows, q)
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return page(Page[ReleaseView], shown, q, lambda row: [row["published_at"], row["app"], row["version"]])


async def show_release(call: Call) -> ReleaseView:
    """GET /v1/releases/{app}/{version}: also by another spelling of its version, such as 1.0 for 1.0.0."""
    app, version = call.path["app"], call.path["version"]
    async with call.gateway.pool.acquire() as conn:
        published = await store.as_published(conn, app, version)
        rows = await store.list_releases(conn, (END_OF_TIME, "", ""), 1, app=app, version=published)
    if not rows:
        raise unknown("release", f"{app} {version}")
    return ReleaseView.model_validate(with_actions(rows[0], actions.ACTIONS, call.who.role), context=IN_AN_EVENT)


async def show_content(call: Call) -> ContentView:
    """GET /v1/releases/{app}/{version}/content: empty until it was prepared."""
    app, version = call.path["app"], call.path["version"]
    async with call.gateway.pool.acquire() as conn:
        published = await store.as_published(conn, app, version)
        if not await store.list_releases(conn, (END_OF_TIME, "", ""), 1, app=app, version=published):
            raise unknown("release", f"{app} {version}")
        found = await store.find_content(conn, app, published)
    return ContentView(items=found["content"] if found else [], notes=found["notes"] if found else [])


async def delete(call: Call) -> web.Response:
    """DELETE /v1/releases/{app}/{version}. Where it is known to run is said at once; the deployer has the last word."""
    sent = await read_object(call.request)
    command = formed(DeleteRelease, {**sent, **call.path}, faults=hidden_faults(sent, frozenset(call.path)))
    async with call.gateway.pool.acquire() as conn:
        published = await store.as_published(conn, command.app, command.version)
        sites = await store.sites_with(conn, command.app, published)
    if sites:
        named = ", ".join(sites[:10]) + (" …" if len(sites) > 10 else "")
        message = f"{command.app} {published} runs on {named}; bring them to another release, or remove it there, first"
        raise Problem(409, "release_needed", message, [Fault(code="release_needed", field="version", message=message)])
    return await send(call, command)


WITHDRAWAL = "/v1/releases/{app}/{version}/withdraw"
PREPARATION = "/v1/releases/{app}/{version}/prepare"


ROUTES = (
    Route("GET", "/v1/releases", list_releases, "Releases, newest first", query=ReleaseQuery, answer=Page[ReleaseView]),
    Route("GET", "/v1/releases/{app}/{version}", show_release, "One release", answer=ReleaseView),
    Route(
        "GET",
        "/v1/releases/{app}/{version}/content",
        show_content,
        "What a release brings to sites, as it was prepared",
        answer=ContentView,
    ),
    action_route(
        "DELETE",
        "/v1/releases/{app}/{version}",
        actions.DELETE,
        delete,
        "Remove a release that no site needs, for good",
        without(DeleteRelease, frozenset({"app", "version"})),
    ),
    command_route("POST", PREPARATION, actions.PREPARE, "Have what a release brings to sites ready, once for all"),
    command_route("POST", WITHDRAWAL, actions.WITHDRAW, "Let no new operation choose a release"),
)

RESOURCE = Resource(
    {"releases": "Versions of apps"},
    ROUTES,
    {"releases/{app}": Name, "{app}/{version}": Version},
    (Learning(learn_releases, KINDS),),
    actions=actions.ACTIONS,
)
