"""Keys that sign bundles, as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, Field


class SigningKeyView(BaseModel):
    """A key of which one must have signed the bundles of its app."""

    app: str
    name: str
    public_key: str = Field(description="Ed25519, in base64")
    expires_at: datetime | None = Field(description="it signs nothing new then; null = never")
    set_at: datetime
    set_by: str
    actions: list[str] = Field(description="what you may do with it now: set, remove")


class SigningKeysView(BaseModel):
    """All keys of an app."""

    items: list[SigningKeyView]
