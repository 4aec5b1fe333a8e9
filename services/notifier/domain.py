"""The rules of the notifier: the life of a delivery, and why commands are refused. What is news stands in rules.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.messages.notifier import DeliveryState, FailedOperation, WebhookFormat
from shared.messages.words import NotificationTopic as Topic


class Reason(StrEnum):
    """Why a command is rejected."""

    UNKNOWN_NOTIFICATION = "unknown_notification"
    UNKNOWN_INBOX = "unknown_inbox"
    SUBSCRIPTION_EXISTS = "subscription_exists"
    UNKNOWN_SUBSCRIPTION = "unknown_subscription"
    UNKNOWN_DELIVERY = "unknown_delivery"
    WRONG_STATE = "wrong_state"
    TARGET_NOT_ALLOWED = "target_not_allowed"
    UNKNOWN_HOST = "unknown_host"
    BAD_SECRET = "bad_secret"  # noqa: S105 - a word, not a secret
    BAD_TEMPLATE = "bad_template"


_D = DeliveryState
TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    _D.WAITING: frozenset({_D.QUEUED, _D.DROPPED}),
    _D.QUEUED: frozenset({_D.WAITING, _D.DELIVERED, _D.DEAD, _D.DROPPED}),
    _D.DELIVERED: frozenset({_D.WAITING}),
    _D.DEAD: frozenset({_D.WAITING}),
    _D.DROPPED: frozenset({_D.WAITING}),
}
"""waiting = behind others of its subscription, or for its next try; queued = with the workers. What has ended waits
again when somebody asks for it."""


class Result(StrEnum):
    """How one try went. `gone` = no further message will ever be taken there."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a channel says of one try; `reason` is for people and holds no secret."""

    result: Result
    reason: str = ""
    status: int | None = None
    """HTTP status; None where there was no answer."""
    retry_after: timedelta | None = None
    """How long the target wants to be left alone (`Retry-After`)."""


@dataclass(frozen=True, slots=True)
class DeliveryRequest:
    """A notification on its way to a subscription, with all that a channel needs to deliver it."""

    delivery_id: str
    notification_id: int | None
    """None = a test call."""
    message_id: str
    topic: Topic
    message: str
    about: str
    link: str
    raised_at: datetime
    subscription: str
    channel: str
    url: str
    sealed_secret: str | None
    tries: int
    first_tried_at: datetime | None
    last_success_at: datetime | None
    count: int = 1
    failures: tuple[FailedOperation, ...] = ()
    format: WebhookFormat = WebhookFormat.STANDARD
    template: Mapping[str, Any] | None = None

    @property
    def is_test(self) -> bool:
        """Whether somebody only wants to know whether the target answers."""
        return self.notification_id is None


RETRY_WAITS: tuple[float, ...] = (5, 30, 120, 300, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 25_800)
"""Seconds before each further try: 13 tries over 24 hours, as Standard Webhooks advises, so that a target that is down
for a night loses nothing."""

JITTER = 0.2
"""Each wait is drawn from the wait to so much more, so that retries do not come in step; never from less, so that the
24 hours are kept."""

LONGEST_WAIT = timedelta(hours=24)
"""A target that wants to be left alone for longer is asked after so long all the same."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The state a try leads to: when to try again (waiting), and whether the subscription is found dead."""

    state: DeliveryState
    tries: int
    reason: str = ""
    retry_at: datetime | None = None
    subscription_dead: bool = False
    quiet_until: datetime | None = None
    """The target wants nothing at all before that."""


def judge(
    request: DeliveryRequest, attempt: Attempt, waits: Sequence[float], now: datetime, spread: float
) -> Judgement:
    """What a try leads to. `waits` are seconds before each further try, `spread` (0 to 1) is the draw of the jitter.

    A subscription is found dead when it says so itself, or when a delivery used up its tries and nothing else
    reached the target meanwhile: then the target is at fault, not the message. A test call is tried once, and proves
    nothing.
    """
    tries = request.tries + 1
    if attempt.result is Result.DELIVERED:
        return Judgement(_D.DELIVERED, tries)
    if request.is_test:
        return Judgement(_D.DEAD, tries, attempt.reason)
    if attempt.result is Result.GONE:
        return Judgement(_D.DEAD, tries, attempt.reason, subscription_dead=True)
    quiet_until = now + min(attempt.retry_after, LONGEST_WAIT) if attempt.retry_after else None
    if tries > len(waits):
        return Judgement(_D.DEAD, tries, attempt.reason, None, _never_reached(request), quiet_until)
    retry_at = max(now + wait_after(tries, waits, spread), quiet_until or now)
    return Judgement(_D.WAITING, tries, attempt.reason, retry_at, quiet_until=quiet_until)


def wait_after(tries: int, waits: Sequence[float], spread: float) -> timedelta:
    """The wait after so many failed tries."""
    return timedelta(seconds=waits[tries - 1] * (1 + JITTER * spread))


def _never_reached(request: DeliveryRequest) -> bool:
    since, last = request.first_tried_at, request.last_success_at
    return last is None or (since is not None and last < since)
