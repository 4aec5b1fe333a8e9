"""What was sent to sites before it is needed there."""

from services.gateway.http.pages import Page, page, start
from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.resources.filters import refuse_unknown
from services.gateway.resources.prestaged import store
from services.gateway.resources.prestaged.views import PrestagedQuery, PrestagedView
from services.gateway.resources.resource import Resource
from services.gateway.resources.sites import store as sites


async def list_prestaged(call: Call) -> Page[PrestagedView]:
    """GET /v1/sites/{name}/prestaged."""
    q, name = call.query, call.path["name"]
    async with call.gateway.pool.acquire() as conn:
        if not await sites.list_sites(conn, after="", limit=1, name=name):
            raise unknown("site", name)
        rows = await store.list_prestaged(conn, name, start(q, "", ""), q.limit + 1, q.app)
        await refuse_unknown(conn, rows, q)
    return page(Page[PrestagedView], rows, q, lambda row: [row["app"], row["version"]])


ROUTES = (
    Route(
        "GET", "/v1/sites/{name}/prestaged", list_prestaged, "What lies prestaged on a site, by app and version",
        query=PrestagedQuery, answer=Page[PrestagedView],
    ),
)  # fmt: skip

RESOURCE = Resource({}, ROUTES)
"""It is learned with the ends of operations, and forgotten with their sites."""
