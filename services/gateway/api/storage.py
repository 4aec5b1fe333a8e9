"""How much the bundles take, as the catalog last said."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.api.routes import Call, Route
from services.gateway.store import catalog as store


class StorageView(BaseModel):
    """The blob store of the bundles. Before the catalog has said anything, all but the limit are null."""

    used_bytes: int | None
    bundles: int | None
    withdrawn_bytes: int | None = Field(description="withdrawn releases that sites may go back to, or not due yet")
    reclaimable_bytes: int | None = Field(description="needed by nobody: freed without anybody asking")
    free_bytes: int | None = Field(description="left on the disk; null also where the store does not say")
    limit_bytes: int = Field(description="the largest bundle that is taken")
    measured_at: datetime | None = Field(description="when it last changed")


async def show(call: Call) -> StorageView:
    """GET /v1/storage."""
    async with call.gateway.pool.acquire() as conn:
        row = await store.find_storage(conn)
    known = dict(row) if row else dict.fromkeys(StorageView.model_fields)
    return StorageView.model_validate({**known, "limit_bytes": call.gateway.settings.max_bundle_bytes})


ROUTES = (Route("GET", "/v1/storage", show, "How much the bundles take, and what may go", answer=StorageView),)
