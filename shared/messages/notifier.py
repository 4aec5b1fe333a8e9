"""Notifier: what people should know, stored, read, and delivered."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.messages.base import Command, Event
from shared.messages.base import CommandAccepted as _Accepted
from shared.messages.base import CommandRejected as _Rejected
from shared.messages.urls import CallableUrl
from shared.messages.words import Identifier, Name, NotificationTopic

INBOX = "everyone"
"""The one inbox there is; the aggregate and key of all that is marked as read."""

Number = Annotated[int, Field(ge=1, le=2**63 - 1, description="number of a notification")]
Topics = Annotated[tuple[NotificationTopic, ...], Field(min_length=1)]


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


class RemoveSubscription(Command):
    """Stop delivering to a webhook."""

    SUBJECT = "name"

    name: Name


class CommandAccepted(_Accepted):
    """The notifier took a command."""

    SUBJECT, KEY = "command_id", "about"


class CommandRejected(_Rejected):
    """The notifier refused a command."""

    SUBJECT, KEY = "command_id", "about"


class NotificationRaised(Event):
    """Something people should know."""

    SUBJECT = "notification_id"

    notification_id: int
    topic: NotificationTopic
    message: str
    about: str = Field(description="what it is about: strategy, release, site …")
    link: str = Field(default="", description="path of the page or API resource")
    raised_at: datetime


class NotificationsRead(Event):
    """Notifications were read."""

    SUBJECT = "inbox"

    inbox: str
    ids: tuple[int, ...]


class SubscriptionChanged(Event):
    """A subscription was added, removed, or found dead."""

    SUBJECT = "name"

    name: Name
    url: str
    topics: tuple[NotificationTopic, ...]
    state: str = Field(description="active, removed or dead")
    reason: str = ""


class DeliveryDied(Event):
    """A notification could not be delivered within the limit of tries."""

    SUBJECT = "delivery_id"

    delivery_id: Identifier
    notification_id: int
    subscription: Name
    tries: int
    reason: str
