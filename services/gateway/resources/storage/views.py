"""Storage as the API shows it."""

from datetime import datetime

from pydantic import BaseModel, Field


class StorageView(BaseModel):
    """The blob store of the bundles. Before the catalog has said anything, all but the limit are null."""

    used_bytes: int | None
    bundles: int | None
    prepared_bytes: int | None = Field(description="what was prepared of releases, beside their bundles")
    withdrawn_bytes: int | None = Field(description="withdrawn releases that sites may go back to, or not due yet")
    reclaimable_bytes: int | None = Field(description="needed by nobody: freed without anybody asking")
    free_bytes: int | None = Field(description="left on the disk; null also where the store does not say")
    limit_bytes: int = Field(description="the largest bundle that is taken")
    measured_at: datetime | None = Field(description="when it last changed")
