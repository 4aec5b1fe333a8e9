"""Notifier: what people should know, stored, read, and delivered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, JsonValue

from shared.messages.base import Command, Event, Model
from shared.messages.base import CommandAccepted as _Accepted
from shared.messages.base import CommandRejected as _Rejected
from shared.messages.deployer import Cause, ComponentDecision, PhaseResult
from shared.messages.opening import Open
from shared.messages.urls import CallableUrl
from shared.messages.words import Identifier, Name, NotificationTopic, OperationKind, Sha256, SiteName

INBOX = "everyone"
"""The one inbox there is; the aggregate and key of all that is marked as read."""

Number = Annotated[int, Field(ge=1, le=2**63 - 1, description="number of a notification")]
Topics = Annotated[tuple[NotificationTopic, ...], Field(min_length=1)]


class WebhookFormat(StrEnum):
    """In which form a webhook gets its notifications."""

    STANDARD = "standard"
    """`type`, `timestamp` and `data`, as Standard Webhooks has it."""
    SLACK = "slack"
    TEAMS = "teams"
    MATTERMOST = "mattermost"
    CUSTOM = "custom"
    """By the subscription's own template."""


DELIVERIES_AT_ONCE = 1_000
"""The most deliveries that one command names."""


class MarkNotificationsRead(Command):
    """Mark notifications as read: the named ones, or all up to and including `up_to`."""

    SUBJECT, KEY = "inbox", "inbox"

    inbox: str = Field(default=INBOX, max_length=100, description="there is one shared inbox")
    ids: tuple[Number, ...] = Field(default=(), max_length=1_000)
    up_to: Number | None = None


class AddSubscription(Command):
    """Deliver notifications of some topics to a webhook."""

    SUBJECT = "name"

    name: Name
    url: CallableUrl
    topics: Topics = tuple(NotificationTopic)
    sealed_secret: str | None = Field(
        default=None,
        max_length=2_000,
        description="signing key in a sealed box (base64) made with the notifier's public key; never in clear",
    )
    format: WebhookFormat = Field(default=WebhookFormat.STANDARD, description="`custom` = by the template")
    template: dict[str, JsonValue] | None = Field(
        default=None, description="JSON in whose texts Liquid is filled in; only with the format `custom`"
    )


class RemoveSubscription(Command):
    """Stop delivering to a webhook."""

    SUBJECT = "name"

    name: Name


class EnableSubscription(Command):
    """Deliver again to a webhook that was found dead; `RedeliverNotifications` sends what was dropped meanwhile."""

    SUBJECT = "name"

    name: Name


class SendTestNotification(Command):
    """Send a sample to a webhook, once, also to a dead one. The answer names the delivery (`result.delivery`)."""

    SUBJECT = "name"

    name: Name


class RedeliverNotifications(Command):
    """Deliver again, under the same `webhook-id`: the named deliveries, or all that never arrived."""

    SUBJECT = "name"

    name: Name
    deliveries: tuple[Identifier, ...] = Field(default=(), max_length=DELIVERIES_AT_ONCE)
    undelivered: bool = Field(default=False, description="all that are dead or were dropped, the newest 1,000")


class CommandAccepted(_Accepted):
    """The notifier took a command."""

    SUBJECT, KEY = "command_id", "about"


class CommandRejected(_Rejected):
    """The notifier refused a command."""

    SUBJECT, KEY = "command_id", "about"


class FailedOperation(Model):
    """How an operation failed, with what it left to learn from."""

    operation_id: Identifier
    site: SiteName
    app: Name
    kind: Open[OperationKind]
    from_version: str | None = None
    to_version: str | None = None
    version: str | None = Field(default=None, description="the release that runs now; null = none")
    recovered: bool
    cause: Cause
    plan: tuple[ComponentDecision, ...] = ()
    phases: tuple[PhaseResult, ...] = Field(default=(), description="the last of them")
    last_lines: tuple[str, ...] = ()


class NotificationRaised(Event):
    """Something people should know."""

    SUBJECT = "notification_id"

    notification_id: int
    topic: Open[NotificationTopic]
    message: str
    about: str = Field(description="what it is about: strategy, release, site …")
    link: str = Field(default="", description="path of the page or API resource")
    raised_at: datetime
    message_id: str = Field(default="", description="the `webhook-id` it is delivered under, unique in the world")
    count: int = Field(default=1, description="of how many things of a kind it tells")
    failures: tuple[FailedOperation, ...] = Field(default=(), description="what failed, the first three")


class NotificationsRead(Event):
    """Notifications were read."""

    SUBJECT = "inbox"

    inbox: str
    ids: tuple[int, ...]


class NotifierKeyReported(Event):
    """The key that secrets for the notifier are sealed to: said whenever a notifier starts, and once a day."""

    SUBJECT = "key_id"

    key_id: Sha256 = Field(description="SHA-256 of the public key")
    public_key: str = Field(max_length=100, description="of X25519, in base64")


class SubscriptionChanged(Event):
    """A subscription was added, removed, or found dead."""

    SUBJECT = "name"

    name: Name
    url: str
    topics: tuple[Open[NotificationTopic], ...]
    state: str = Field(description="active, removed or dead")
    reason: str = ""
    format: Open[WebhookFormat] = WebhookFormat.STANDARD
    template: dict[str, JsonValue] | None = None


class DeliveryState(StrEnum):
    """The life of one notification on its way to one subscription."""

    WAITING = "waiting"
    QUEUED = "queued"
    DELIVERED = "delivered"
    DEAD = "dead"
    DROPPED = "dropped"


class Delivery(Model):
    """A delivery as it stands now."""

    delivery_id: Identifier
    nth: int = Field(description="rises with each change of the delivery: a lower one is older news")
    notification_id: int | None = Field(description="null = a test call")
    topic: Open[NotificationTopic]
    message: str
    state: Open[DeliveryState]
    tries: int
    status: int | None = Field(default=None, description="HTTP status that the last try got; null = no answer")
    milliseconds: int | None = Field(default=None, description="how long the last try took")
    reason: str = Field(default="", description="why the last try failed, or why it was dropped")
    next_try_at: datetime | None = None
    at: datetime


class DeliveriesChanged(Event):
    """Deliveries of one subscription moved on; at most 200 in one message."""

    SUBJECT = "subscription"

    subscription: Name
    deliveries: tuple[Delivery, ...]


class DeliveryDied(Event):
    """A notification could not be delivered within the limit of tries."""

    SUBJECT = "delivery_id"

    delivery_id: Identifier
    notification_id: int
    subscription: Name
    tries: int
    reason: str
