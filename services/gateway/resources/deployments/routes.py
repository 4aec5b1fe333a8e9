"""Deployments: what runs where."""

from services.gateway.http.pages import Page, page, start
from services.gateway.http.routing import Call, Route
from services.gateway.resources.deployments import store
from services.gateway.resources.deployments.views import DeploymentQuery, DeploymentView
from services.gateway.resources.filters import refuse_unknown
from services.gateway.resources.releases.store import as_published
from services.gateway.resources.resource import Resource


async def list_deployments(call: Call) -> Page[DeploymentView]:
    """GET /v1/deployments."""
    q = call.query
    where = {"site": q.site, "app": q.app, "status": q.status, "version": q.version}
    async with call.gateway.pool.acquire() as conn:
        if q.app and q.version:
            where["version"] = await as_published(conn, q.app, q.version)
        rows = await store.list_deployments(conn, start(q, "", ""), limit=q.limit + 1, **where)
        await refuse_unknown(conn, rows, q)
    return page(Page[DeploymentView], rows, q, lambda row: [row["site"], row["app"]])


ROUTES = (
    Route(
        "GET", "/v1/deployments", list_deployments, "What runs where",
        query=DeploymentQuery, answer=Page[DeploymentView],
    ),
)  # fmt: skip

RESOURCE = Resource({"deployments": "What runs where"}, ROUTES)
