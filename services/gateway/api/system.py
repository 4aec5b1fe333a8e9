"""The system itself: every replica on this machine."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.api.pages import Page
from services.gateway.api.routes import Call, Route
from shared.process.replicas import ask_all


class FindingView(BaseModel):
    """Something that is wrong."""

    code: str = Field(examples=["partition_stalled"])
    about: str = Field(default="", description="the partition, process, group or record")
    message: str = Field(description="what is wrong, with its cause as far as it is known")
    since: datetime | None = None
    advice: str = Field(default="", description="what to do about it")


class ReplicaView(BaseModel):
    """One process of one service."""

    service: str
    instance: str
    url: str
    version: str | None = None
    ready: bool
    parts: dict[str, bool] = Field(default={}, description="what it needs, and whether that works")
    findings: list[FindingView] = Field(default=[], description="what is wrong; a replica can be ready all the same")
    lag: int | None = Field(default=None, description="records not yet handled")
    outbox: int | None = Field(default=None, description="records not yet sent")
    refused: int | None = Field(
        default=None,
        description="records that Kafka refused for good, kept aside; `python -m shared.refused list`",
    )
    error: str | None = None


async def show(call: Call) -> Page[ReplicaView]:
    """GET /v1/system."""
    return Page[ReplicaView].model_validate({"items": await ask_all(call.gateway.settings.home)})


ROUTES = (Route("GET", "/v1/system", show, "Every replica that runs on this machine", answer=Page[ReplicaView]),)
