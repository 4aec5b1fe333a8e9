"""Tokens as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.domain import Role
from shared.messages.base import Model
from shared.messages.words import Name


class MeView(BaseModel):
    """Who a token makes you."""

    name: str
    role: Role


class TokenView(BaseModel):
    """A token, without what makes it one."""

    id: str
    name: str
    role: Role
    created_by: str
    created_at: datetime
    last_used_at: datetime | None = Field(description="to the minute; null = never")


class TokenBody(Model):
    """A token to be made."""

    name: Name
    role: Role


class NewTokenView(BaseModel):
    """A fresh token."""

    id: str
    name: str
    role: Role
    token: str = Field(description="shown this once, and kept nowhere")


class DeletedView(BaseModel):
    """A token that opens nothing any more."""

    id: str
    name: str
