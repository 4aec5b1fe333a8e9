"""Secrets as the API shows them: all but their values."""

from datetime import datetime

from pydantic import BaseModel, Field

from shared.messages.base import Model


class SecretView(BaseModel):
    """A secret; its value is never shown."""

    name: str
    version: int = Field(description="so many values were set under this name")
    set_at: datetime
    set_by: str
    sites: int = Field(description="so many sites name it in a connection")
    actions: list[str] = Field(description="what you may do with it now: set, remove")


class SecretBody(Model):
    """The value of a secret: sealed as soon as it is read, and never shown again."""

    value: str = Field(
        min_length=4,
        max_length=60_000,
        description="text of at least 4 characters; with the JSON around it at most 64 KiB",
        json_schema_extra={"writeOnly": True},
    )
