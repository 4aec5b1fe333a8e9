"""Replicas as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, Field


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
