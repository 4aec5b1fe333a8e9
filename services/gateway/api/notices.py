"""Notifications: what people should know."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.gateway.api.pages import LARGEST, Page, Paging, page, start
from services.gateway.api.routes import Call, Route
from services.gateway.api.sending import command_route
from services.gateway.store import notices as store
from shared.messages.notifier import MarkNotificationsRead
from shared.messages.words import NotificationTopic


class FailedSite(BaseModel):
    """Where to look: the operation has the evidence."""

    operation_id: str
    site: str


class NotificationView(BaseModel):
    """Something people should know."""

    notification_id: int
    topic: NotificationTopic
    message: str
    about: str
    link: str
    raised_at: datetime
    read: bool
    failed: list[FailedSite] = Field(description="of what failed, the first operations")


class NotificationQuery(Paging):
    """Filters of notifications."""

    topic: NotificationTopic | None = None
    unread: bool = Field(default=False, description="only those that nobody has read")


async def list_notifications(call: Call) -> Page[NotificationView]:
    """GET /v1/notifications."""
    q = call.query
    (before,) = start(q, LARGEST)
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_notifications(conn, before, q.limit + 1, topic=q.topic, unread=q.unread)
    return page(Page[NotificationView], rows, q, lambda row: [row["notification_id"]])


ROUTES = (
    Route(
        "GET", "/v1/notifications", list_notifications, "Notifications, newest first",
        query=NotificationQuery, answer=Page[NotificationView],
    ),
    command_route("POST", "/v1/notifications/read", MarkNotificationsRead, "Mark notifications as read"),
)  # fmt: skip
