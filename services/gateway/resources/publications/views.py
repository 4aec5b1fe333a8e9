"""Publications as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, Field

from shared.messages.base import Cause, Fault


class PublicationView(BaseModel):
    """What became of a command to publish a bundle, or how far it is."""

    publication: str = Field(description="id of the command")
    state: str = Field(description="under_way, available, rejected or failed", examples=["under_way"])
    phase: str | None = Field(description="fetch or validate, while it is under way")
    done_bytes: int | None
    total_bytes: int | None = Field(description="null where the source does not say")
    step: str | None = Field(description="what is being looked at while it is validated: files, charts, components")
    step_done: int | None = Field(description="how many of them; of files it is the bytes that count")
    step_total: int | None
    waits: Cause | None = Field(description="what keeps it from going on for now; it is tried again")
    bundle_sha256: str | None
    app: str | None
    version: str | None
    faults: list[Fault]
    at: datetime = Field(description="when this was said last")
