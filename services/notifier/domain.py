"""The rules of the notifier: the life of a delivery, and why commands are refused. What is news stands in news.py."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.messages.words import NotificationTopic as Topic


class Reason(StrEnum):
    """Why a command is rejected."""

    UNKNOWN_NOTIFICATION = "unknown_notification"
    UNKNOWN_INBOX = "unknown_inbox"
    SUBSCRIPTION_EXISTS = "subscription_exists"
    UNKNOWN_SUBSCRIPTION = "unknown_subscription"
    TARGET_NOT_ALLOWED = "target_not_allowed"
    UNKNOWN_HOST = "unknown_host"
    BAD_SECRET = "bad_secret"  # noqa: S105 - a word, not a secret


class DeliveryState(StrEnum):
    """The life of one notification on its way to one subscription. Terminal: delivered, dead, dropped."""

    WAITING = "waiting"
    QUEUED = "queued"
    DELIVERED = "delivered"
    DEAD = "dead"
    DROPPED = "dropped"


_D = DeliveryState
TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    _D.WAITING: frozenset({_D.QUEUED, _D.DROPPED}),
    _D.QUEUED: frozenset({_D.QUEUED, _D.DELIVERED, _D.DEAD, _D.DROPPED}),
    _D.DELIVERED: frozenset(),
    _D.DEAD: frozenset(),
    _D.DROPPED: frozenset(),
}
"""waiting = behind others of its subscription; queued = with the workers, for the first or a further try."""


class Result(StrEnum):
    """How one try went. `gone` = no further message will ever be taken there."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a channel says of one try; `reason` is for people and holds no secret."""

    result: Result
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A notification on its way to a subscription, with all that a channel needs to deliver it."""

    delivery_id: str
    notification_id: int
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


@dataclass(frozen=True, slots=True)
class BackOff:
    """How patient the notifier is: `tries` in all, `first` after the first failure, doubling up to `most`."""

    tries: int
    first: timedelta
    most: timedelta


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state a try leads to: when to try again (queued), and whether the subscription is found dead."""

    state: DeliveryState
    tries: int
    reason: str = ""
    retry_at: datetime | None = None
    subscription_dead: bool = False


def judge(parcel: Parcel, outcome: Outcome, back_off: BackOff, now: datetime, spread: float) -> Verdict:
    """What a try leads to. `spread` (0 to 1) draws the wait from its upper half, so that retries do not come in step.

    A subscription is found dead when it says so itself, or when a delivery used up its tries and nothing else
    reached the target meanwhile: then the target is at fault, not the message.
    """
    tries = parcel.tries + 1
    if outcome.result is Result.DELIVERED:
        return Verdict(_D.DELIVERED, tries)
    if outcome.result is Result.GONE:
        return Verdict(_D.DEAD, tries, outcome.reason, subscription_dead=True)
    if tries >= back_off.tries:
        return Verdict(_D.DEAD, tries, outcome.reason, subscription_dead=_never_reached(parcel))
    return Verdict(_D.QUEUED, tries, outcome.reason, retry_at=now + wait_after(tries, back_off, spread))


def wait_after(tries: int, back_off: BackOff, spread: float) -> timedelta:
    """The wait after so many failed tries."""
    doubled = back_off.first * (1 << min(tries - 1, 30))
    return min(doubled, back_off.most) * (0.5 + spread / 2)


def _never_reached(parcel: Parcel) -> bool:
    since, last = parcel.first_tried_at, parcel.last_success_at
    return last is None or (since is not None and last < since)
