"""Uploads as the API shows them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class UploadView(BaseModel):
    """An upload: how far it is, and what it became."""

    id: str
    state: Literal["open", "complete"]
    file_name: str
    bytes: int = Field(description="of the whole file")
    offset: int = Field(description="bytes that lie here; go on from there")
    sha256: str | None
    publication: str | None = Field(description="where to ask what became of it, once it is complete")
    expires_at: datetime = Field(description="what has not come by then is forgotten")
