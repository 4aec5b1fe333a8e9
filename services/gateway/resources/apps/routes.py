"""Apps: what is rolled out."""

from typing import Any

from services.gateway.http.pages import Page, page, start
from services.gateway.http.routing import Call, Route
from services.gateway.resources.apps import store
from services.gateway.resources.apps.views import AppQuery, AppView
from services.gateway.resources.resource import Resource
from shared.versions import latest


async def list_apps(call: Call) -> Page[AppView]:
    """GET /v1/apps."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_apps(conn, after, call.query.limit + 1)
    shown = [_app(dict(row), call.query.prereleases) for row in rows]
    return page(Page[AppView], shown, call.query, lambda row: [row["app"]])


def _app(row: dict[str, Any], prereleases: bool) -> dict[str, Any]:
    releases = row["releases"]
    available = [version for _, version, state in releases if state == "available"]
    highest = latest(releases[-1][0], available, prereleases=prereleases) if releases else None
    return {**row, "releases": len(releases), "latest": highest}


ROUTES = (Route("GET", "/v1/apps", list_apps, "Apps", query=AppQuery, answer=Page[AppView]),)

RESOURCE = Resource({"apps": "What is rolled out"}, ROUTES)
