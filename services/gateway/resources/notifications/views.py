"""Notifications as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.http.pages import Paging
from shared.messages.opening import Open
from shared.messages.words import NotificationTopic


class FailedSite(BaseModel):
    """Where to look: the operation has the evidence."""

    operation_id: str
    site: str


class NotificationView(BaseModel):
    """Something people should know."""

    notification_id: int
    topic: Open[NotificationTopic]
    message: str
    about: str
    link: str
    raised_at: datetime
    read: bool
    failed: list[FailedSite] = Field(description="of what failed, the first operations")
    actions: list[str] = Field(description="what you may do with it now: mark_read")


class NotificationQuery(Paging):
    """Filters of notifications."""

    topic: NotificationTopic | None = None
    unread: bool = Field(default=False, description="only those that nobody has read")
