"""The hosts that deployers install releases on: what a bundle must be built for."""

from services.gateway.events.learning import Learning
from services.gateway.http.pages import Page, Paging, page, start
from services.gateway.http.routing import Call, Route
from services.gateway.resources.hosts import store
from services.gateway.resources.hosts.projection import KINDS, learn_hosts
from services.gateway.resources.hosts.views import HostView
from services.gateway.resources.resource import Resource


async def list_hosts(call: Call) -> Page[HostView]:
    """GET /v1/hosts."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_hosts(conn, after, call.query.limit + 1)
    return page(Page[HostView], rows, call.query, lambda row: [row["host"]])


ROUTES = (
    Route("GET", "/v1/hosts", list_hosts, "Hosts that releases are installed on", query=Paging, answer=Page[HostView]),
)


RESOURCE = Resource(
    {"hosts": "What bundles must be installable on"}, ROUTES, learns=(Learning(learn_hosts, KINDS, hidden=KINDS),)
)
