"""The audit: who did what, when, and what came of it."""

from services.gateway.domain import Role
from services.gateway.http.pages import LARGEST, Page, page, start
from services.gateway.http.routing import Call, Route
from services.gateway.resources.audit import store
from services.gateway.resources.audit.store import AuditFilter
from services.gateway.resources.audit.views import AuditQuery, AuditView
from services.gateway.resources.resource import Resource


async def audit(call: Call) -> Page[AuditView]:
    """GET /v1/audit."""
    (before,) = start(call.query, LARGEST)
    wanted = AuditFilter(**call.query.model_dump(exclude={"limit", "cursor"}))
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_audit(conn, before, call.query.limit + 1, wanted)
    return page(Page[AuditView], rows, call.query, lambda row: [row["id"]])


ROUTES = (Route("GET", "/v1/audit", audit, "Who did what", Role.ADMIN, query=AuditQuery, answer=Page[AuditView]),)

RESOURCE = Resource({"audit": "Who did what"}, ROUTES)
