"""Overrides: what people set over the values of releases, at which level, and what comes of all of it together."""

from services.gateway.commands.action import with_actions
from services.gateway.events.learning import Learning
from services.gateway.http.pages import LARGEST, Page, page, start
from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import action_route, command_route
from services.gateway.resources.filters import unknown_names
from services.gateway.resources.overrides import actions, setting, store
from services.gateway.resources.overrides.merged import defaults, merged
from services.gateway.resources.overrides.projection import KINDS, learn_overrides
from services.gateway.resources.overrides.views import (
    HistoryQuery,
    MergedQuery,
    MergedView,
    OverridesQuery,
    OverrideView,
    SetOverrideView,
)
from services.gateway.resources.resource import Resource
from shared.messages.words import Name
from shared.process.db import Connection
from shared.values.layers import Place


async def list_set(call: Call) -> Page[SetOverrideView]:
    """GET /v1/apps/{app}/overrides."""
    q, app = call.query, call.path["app"]
    where = {"level": q.level, "target": q.target, "component": q.component}
    async with call.gateway.pool.acquire() as conn:
        await _known(conn, app)
        rows = await store.list_set(conn, app, start(q, "", "", ""), q.limit + 1, **where)
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return page(Page[SetOverrideView], shown, q, lambda row: [row["level"], row["target"] or "", row["component"]])


async def show(call: Call) -> MergedView:
    """GET /v1/apps/{app}/overrides/{component}."""
    q, app, component = call.query, call.path["app"], call.path["component"]
    async with call.gateway.pool.acquire() as conn:
        await _known(conn, app)
        group = await _group(conn, q.group, q.site)
        rows = await store.levels(conn, app, component, group, q.site)
        release = await store.release(conn, app, q.site, q.version)
    if q.version and release is None:
        raise unknown("release", f"{app} {q.version}")
    told = next((c for c in release["components"] if c["name"] == component), None) if release else None
    if told is None and not rows:
        raise unknown("component", f"{app}/{component}")
    values, namespace, enabled = defaults(told) if told else ({}, None, True)
    together, origins = merged(values, [(row["level"], row["values"]) for row in rows])
    return MergedView(
        app=app,
        component=component,
        version=release["version"] if release else None,
        release_values=values,
        levels=[dict(row) for row in rows],
        values=together,
        origins=origins,
        enabled=next((row["enabled"] for row in reversed(rows) if row["enabled"] is not None), enabled),
        namespace=next((row["namespace"] for row in reversed(rows) if row["namespace"]), namespace),
    )


async def history(call: Call) -> Page[OverrideView]:
    """GET /v1/apps/{app}/overrides/{component}/history."""
    q, app = call.query, call.path["app"]
    level = "site" if q.site else "group" if q.group else "fleet"
    (before,) = start(q, LARGEST)
    async with call.gateway.pool.acquire() as conn:
        await _known(conn, app)
        place = Place(app, level, q.site or q.group or "", call.path["component"])
        rows = await store.history(conn, place, before, q.limit + 1)
    return page(Page[OverrideView], rows, q, lambda row: [row["nth"]])


async def _known(conn: Connection, app: str) -> None:
    """Raises Problem 404 for an app that never was."""
    if await unknown_names(conn, {"app": ("app", app)}):
        raise unknown("app", app)


async def _group(conn: Connection, group: str | None, site: str | None) -> str | None:
    """The group that counts. Raises Problem 404 for a site or group that there is not."""
    if site is None:
        if group and await unknown_names(conn, {"group": ("group", group)}):
            raise unknown("group", group)
        return group
    row = await store.group_of(conn, site)
    if row is None:
        raise unknown("site", site)
    found: str | None = row["group_name"]
    return found


_ALL = "/v1/apps/{app}/overrides"
_ONE = f"{_ALL}/{{component}}"
ROUTES = (
    Route(
        "GET", _ALL, list_set, "What is set for an app, at every level",
        query=OverridesQuery, answer=Page[SetOverrideView],
    ),
    Route(
        "GET", _ONE, show, "A component with all levels merged, and where each value came from",
        query=MergedQuery, answer=MergedView,
    ),
    Route(
        "GET", f"{_ONE}/history", history, "Every change of what is set at one level, newest first",
        query=HistoryQuery, answer=Page[OverrideView],
    ),
    action_route(
        "POST", _ONE, actions.SET, setting.set_overrides, "Set values and attributes of a component at one level",
        setting.Body,
    ),
    command_route("POST", f"{_ONE}/restore", actions.RESTORE, "Set again what was set after a former change"),
    command_route("POST", f"{_ONE}/clear", actions.CLEAR, "Set nothing any more at one level"),
)  # fmt: skip

RESOURCE = Resource(
    {}, ROUTES, {"apps/{app}": Name, "overrides/{component}": Name}, (Learning(learn_overrides, KINDS),),
    actions=actions.ACTIONS,
)  # fmt: skip
