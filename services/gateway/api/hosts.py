"""The hosts that deployers install releases on: what a bundle must be built for."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.api.pages import Page, Paging, page, start
from services.gateway.api.routes import Call, Route
from services.gateway.store import catalog as store


class HostView(BaseModel):
    """A deployer's host, as it was last reported."""

    host: str = Field(description="the deployer's instance")
    environment: dict[str, str] = Field(description="what markers of Python requirements ask (PEP 508)")
    abis: list[str]
    platforms: list[str] = Field(description="platform tags of wheels that it takes, the best first")
    heard_at: datetime


async def list_hosts(call: Call) -> Page[HostView]:
    """GET /v1/hosts."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_hosts(conn, after, call.query.limit + 1)
    return page(Page[HostView], rows, call.query, lambda row: [row["host"]])


ROUTES = (
    Route("GET", "/v1/hosts", list_hosts, "Hosts that releases are installed on", query=Paging, answer=Page[HostView]),
)
