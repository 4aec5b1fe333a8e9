"""Subscriptions and deliveries as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, Field, JsonValue

from services.gateway.http.pages import Paging
from shared.messages.base import Model
from shared.messages.notifier import (
    DeliveryState,
    Topics,
    WebhookFormat,
)
from shared.messages.opening import Open
from shared.messages.urls import CallableUrl
from shared.messages.words import Name, NotificationTopic


class SubscriptionView(BaseModel):
    """A webhook; its secret is never shown."""

    name: str
    url: str
    topics: list[Open[NotificationTopic]]
    state: str = Field(description="active or dead")
    reason: str
    format: Open[WebhookFormat]
    template: dict[str, JsonValue] | None = Field(description="its own, with the format `custom`")
    actions: list[str] = Field(description="what you may do with it now: remove, enable, test, redeliver")


class SubscriptionBody(Model):
    """Deliver notifications of some topics to a webhook, signed with the secret if one is given."""

    name: Name
    url: CallableUrl
    topics: Topics = tuple(NotificationTopic)
    secret: str | None = Field(default=None, min_length=16, max_length=200, json_schema_extra={"writeOnly": True})
    format: WebhookFormat = Field(default=WebhookFormat.STANDARD, description="`custom` = by the template")
    template: dict[str, JsonValue] | None = Field(
        default=None, description="JSON in whose texts Liquid is filled in; only with the format `custom`"
    )


class DeliveryView(BaseModel):
    """A notification on its way to a webhook, or a test call."""

    delivery_id: str
    subscription: str
    notification_id: int | None = Field(description="null = a test call")
    topic: Open[NotificationTopic]
    message: str
    state: Open[DeliveryState]
    tries: int
    status: int | None = Field(description="HTTP status that the last try got; null = no answer")
    milliseconds: int | None = Field(description="how long the last try took")
    reason: str = Field(description="why the last try failed, or why it was dropped")
    next_try_at: datetime | None
    at: datetime = Field(description="when it moved last")
    actions: list[str] = Field(description="what you may do with it now: redeliver")


class DeliveryQuery(Paging):
    """Filters of deliveries."""

    state: DeliveryState | None = None


class FormatView(BaseModel):
    """A template that comes with Belay."""

    format: WebhookFormat
    template: dict[str, JsonValue]


class FormatsView(BaseModel):
    """The formats that have a template: take one as it is, or as the beginning of your own."""

    items: list[FormatView]
