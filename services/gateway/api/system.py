"""The system itself: every replica on this machine."""

from pydantic import BaseModel, Field

from services.gateway.api.pages import Page
from services.gateway.api.routes import Call, Route
from services.gateway.replicas import ask_all


class ReplicaView(BaseModel):
    """One process of one service."""

    service: str
    instance: str
    url: str
    version: str | None = None
    ready: bool
    parts: dict[str, bool] = Field(default={}, description="what it needs, and whether that works")
    lag: int | None = Field(default=None, description="records not yet handled")
    outbox: int | None = Field(default=None, description="records not yet sent")
    refused: int | None = Field(
        default=None, description="records that Kafka refused for good, kept aside; `python -m shared.refused list`"
    )
    error: str | None = None


async def show(call: Call) -> Page[ReplicaView]:
    """GET /v1/system."""
    return Page[ReplicaView].model_validate({"items": await ask_all(call.gateway.settings.home)})


ROUTES = (Route("GET", "/v1/system", show, "Every replica that runs on this machine", answer=Page[ReplicaView]),)
