"""Notifications, and the webhooks that are told of them."""

import asyncio
import hashlib
from datetime import datetime

from aiohttp import web
from pydantic import BaseModel, Field

from services.gateway.api.bodies import formed, read_object
from services.gateway.api.commands import CommandAnswer
from services.gateway.api.pages import LARGEST, Page, Paging, page, start
from services.gateway.api.routes import Call, Route
from services.gateway.api.sending import command_id_of, command_route, fingerprint_of, send
from services.gateway.domain import Role
from services.gateway.seal import seal
from services.gateway.store import notices as store
from shared.messages.base import Model
from shared.messages.notifier import AddSubscription, MarkNotificationsRead, RemoveSubscription, Topics
from shared.messages.urls import CallableUrl
from shared.messages.words import Name, NotificationTopic


class NotificationView(BaseModel):
    """Something people should know."""

    notification_id: int
    topic: NotificationTopic
    message: str
    about: str
    link: str
    raised_at: datetime
    read: bool


class SubscriptionView(BaseModel):
    """A webhook; its secret is never shown."""

    name: str
    url: str
    topics: list[NotificationTopic]
    state: str = Field(description="active or dead")
    reason: str


class SubscriptionBody(Model):
    """Deliver notifications of some topics to a webhook, signed with the secret if one is given."""

    name: Name
    url: CallableUrl
    topics: Topics = tuple(NotificationTopic)
    secret: str | None = Field(default=None, min_length=16, max_length=200, json_schema_extra={"writeOnly": True})


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


async def list_subscriptions(call: Call) -> Page[SubscriptionView]:
    """GET /v1/subscriptions."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.list_subscriptions(conn, after, call.query.limit + 1)
    return page(Page[SubscriptionView], rows, call.query, lambda row: [row["name"]])


async def subscribe(call: Call) -> web.Response:
    """POST /v1/subscriptions: the secret is sealed here and travels so.

    Sealing gives other bytes each time; whether a repeated request is the same one is told by what was sealed.
    """
    body = formed(SubscriptionBody, await read_object(call.request))
    plain = AddSubscription(name=body.name, url=body.url, topics=body.topics)
    if body.secret is None:
        return await send(call, plain)
    sealed = await asyncio.to_thread(seal, body.secret, call.gateway.settings.home)
    salt = hashlib.blake2b(command_id_of(call.request).encode(), digest_size=16).digest()
    content = fingerprint_of(plain) + body.secret.encode()
    fingerprint = hashlib.blake2b(content, digest_size=16, salt=salt).digest()
    return await send(call, plain.model_copy(update={"sealed_secret": sealed}), fingerprint=fingerprint)


ROUTES = (
    Route(
        "GET", "/v1/notifications", list_notifications, "Notifications, newest first",
        query=NotificationQuery, answer=Page[NotificationView],
    ),
    command_route("POST", "/v1/notifications/read", MarkNotificationsRead, "Mark notifications as read"),
    Route("GET", "/v1/subscriptions", list_subscriptions, "Webhooks", query=Paging, answer=Page[SubscriptionView]),
    Route(
        "POST", "/v1/subscriptions", subscribe, "Tell a webhook", Role.OPERATOR,
        body=SubscriptionBody, answer=CommandAnswer, status=202, command=True,
    ),
    command_route("DELETE", "/v1/subscriptions/{name}", RemoveSubscription, "Stop telling a webhook"),
)  # fmt: skip
