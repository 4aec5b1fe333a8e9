"""Hosts as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, Field


class HostView(BaseModel):
    """A deployer's host, as it was last reported."""

    host: str = Field(description="the deployer's instance")
    environment: dict[str, str] = Field(description="what markers of Python requirements ask (PEP 508)")
    abis: list[str]
    platforms: list[str] = Field(description="platform tags of wheels that it takes, the best first")
    heard_at: datetime
