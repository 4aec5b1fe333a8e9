"""Deployments: what runs where, and how it came to that."""

from typing import Any

from services.gateway.commands.action import with_actions
from services.gateway.http.pages import LARGEST, Page, Paging, page, start
from services.gateway.http.problems import unknown
from services.gateway.http.routing import Call, Route
from services.gateway.resources.deployments import store
from services.gateway.resources.deployments.views import DeploymentDetail, DeploymentQuery, DeploymentView
from services.gateway.resources.filters import refuse_unknown
from services.gateway.resources.operations import actions
from services.gateway.resources.operations import store as operations
from services.gateway.resources.operations.views import OperationView
from services.gateway.resources.overrides.drift import drifted
from services.gateway.resources.releases.store import as_published
from services.gateway.resources.resource import Resource
from services.gateway.resources.secrets.rotation import set_again
from shared.messages.words import Name, SiteName


async def list_deployments(call: Call) -> Page[DeploymentView]:
    """GET /v1/deployments."""
    q = call.query
    where: dict[str, Any] = {"site": q.site, "app": q.app, "status": q.status, "version": q.version}
    async with call.gateway.pool.acquire() as conn:
        if q.app and q.version:
            where["version"] = await as_published(conn, q.app, q.version)
        where |= {"changed": q.overrides_changed, "rotated": q.secrets_changed}
        rows = await store.list_deployments(conn, start(q, "", ""), limit=q.limit + 1, **where)
        await refuse_unknown(conn, rows, q)
        changed, again = await drifted(conn, rows), await set_again(conn, rows)
    told = [
        {**row, "overrides_changed": bool(each), "secrets_changed": some}
        for row, each, some in zip(rows, changed, again, strict=True)
    ]
    found = page(Page[DeploymentView], told, q, lambda row: [row["site"], row["app"]])
    if q.overrides_changed:  # set otherwise since, and to the same in the end: the query cannot tell
        found.items = [each for each in found.items if each.overrides_changed]
    return found


async def show(call: Call) -> DeploymentDetail:
    """GET /v1/deployments/{site}/{app}."""
    site, app = call.path["site"], call.path["app"]
    async with call.gateway.pool.acquire() as conn:
        row = await store.find(conn, site, app)
        if row is None:
            raise unknown("deployment", f"{site}/{app}")
        (changed,), (again,) = await drifted(conn, [row]), await set_again(conn, [row])
        found = {name: await operations.find(conn, row[key]) for name, key in OPERATIONS.items() if row[key]}
    shown = {name: each and with_actions(each, actions.ACTIONS, call.who.role) for name, each in found.items()}
    told = {"overrides_changed": bool(changed), "changed": changed, "secrets_changed": again}
    return DeploymentDetail.model_validate({**row, **told, "last": None, "running": None, **shown})


async def history(call: Call) -> Page[OperationView]:
    """GET /v1/deployments/{site}/{app}/history."""
    (before,) = start(call.query, LARGEST)
    site, app = call.path["site"], call.path["app"]
    async with call.gateway.pool.acquire() as conn:
        if await store.find(conn, site, app) is None:
            raise unknown("deployment", f"{site}/{app}")
        rows = await operations.find_all(conn, before, call.query.limit + 1, site=site, app=app)
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return page(Page[OperationView], shown, call.query, lambda row: [row["position"]])


OPERATIONS = {"last": "operation_id", "running": "running"}
"""What is shown of operations, by the column that names it."""

ROUTES = (
    Route(
        "GET", "/v1/deployments", list_deployments, "What runs where",
        query=DeploymentQuery, answer=Page[DeploymentView],
    ),
    Route(
        "GET", "/v1/deployments/{site}/{app}", show, "One deployment, with what left it so",
        answer=DeploymentDetail,
    ),
    Route(
        "GET", "/v1/deployments/{site}/{app}/history", history, "All that was done to a deployment, newest first",
        query=Paging, answer=Page[OperationView],
    ),
)  # fmt: skip

RESOURCE = Resource({"deployments": "What runs where"}, ROUTES, {"deployments/{site}": SiteName, "{site}/{app}": Name})
