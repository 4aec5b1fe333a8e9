"""Notifications: what people should know."""

from services.gateway.commands.action import with_actions
from services.gateway.events.learning import Learning
from services.gateway.http.pages import LARGEST, Page, page, start
from services.gateway.http.routing import Call, Route
from services.gateway.http.sending import command_route
from services.gateway.resources.notifications import actions, store
from services.gateway.resources.notifications.projection import KINDS, learn_notifications
from services.gateway.resources.notifications.views import NotificationQuery, NotificationView
from services.gateway.resources.resource import Resource


async def list_notifications(call: Call) -> Page[NotificationView]:
    """GET /v1/notifications."""
    q = call.query
    (before,) = start(q, LARGEST)
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_notifications(conn, before, q.limit + 1, topic=q.topic, unread=q.unread)
    shown = [with_actions(row, actions.ACTIONS, call.who.role) for row in rows]
    return page(Page[NotificationView], shown, q, lambda row: [row["notification_id"]])


ROUTES = (
    Route(
        "GET", "/v1/notifications", list_notifications, "Notifications, newest first",
        query=NotificationQuery, answer=Page[NotificationView],
    ),
    command_route("POST", "/v1/notifications/read", actions.MARK_READ, "Mark notifications as read"),
)  # fmt: skip


RESOURCE = Resource(
    {"notifications": "What people should know"},
    ROUTES,
    learns=(Learning(learn_notifications, KINDS),),
    actions=actions.ACTIONS,
)
