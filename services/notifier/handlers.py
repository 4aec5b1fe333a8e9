"""What the notifier does with each message: events become notifications, commands mark and subscribe."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from services.notifier import lanes, store
from services.notifier.desk import Desk
from services.notifier.domain import Reason
from services.notifier.news import Note, note_of, note_of_sites
from services.notifier.subscriptions import add_subscription, remove_subscription
from shared.codec import Attributes, Envelope
from shared.inbox import Accepted, Rejected, Verdict
from shared.ledger import Timer, Turn
from shared.messages.base import ErrorCode, Event, Fault, Message
from shared.messages.catalog import ReleaseAvailable, ReleaseRejected, ReleaseWithdrawn
from shared.messages.deployer import OperationFailed, OperationSucceeded
from shared.messages.monitor import FailureRateHigh, StrategySilent
from shared.messages.notifier import (
    INBOX,
    AddSubscription,
    MarkNotificationsRead,
    NotificationRaised,
    NotificationsRead,
    RemoveSubscription,
)
from shared.messages.strategy import SitesChanged, StrategyStateChanged

IDS_AT_ONCE = 1_000
"""The most numbers that one `NotificationsRead` lists."""


Told = tuple[Envelope[Any], Note]

# -- events -------------------------------------------------------------------------------------------------------


async def tell(desk: Desk, turn: Turn, envelopes: Sequence[Envelope[Event]]) -> None:
    """Raise what is news. Most events are none (a strategy's operations), and cost nothing but their reading."""
    told = [(envelope, note) for envelope in envelopes if (note := note_of(envelope.data, {}))]
    await _raise_fresh(desk, turn, told)


async def tell_of_strategies(desk: Desk, turn: Turn, envelopes: Sequence[Envelope[StrategyStateChanged]]) -> None:
    """The same, and remember what strategies are called."""
    names = [(envelope.data.strategy_id, envelope.data.name) for envelope in envelopes]
    await store.learn_names(turn.conn, names, turn.now)
    await tell(desk, turn, envelopes)


async def tell_of_advice(
    desk: Desk, turn: Turn, envelopes: Sequence[Envelope[FailureRateHigh] | Envelope[StrategySilent]]
) -> None:
    """The monitor's warnings, with the strategy's name."""
    names = await store.find_names(turn.conn, [envelope.data.strategy_id for envelope in envelopes])
    told = [(envelope, note) for envelope in envelopes if (note := note_of(envelope.data, names))]
    await _raise_fresh(desk, turn, told)


async def tell_of_sites(desk: Desk, turn: Turn, envelopes: Sequence[Envelope[SitesChanged]]) -> None:
    """One notification for all sites that changed together."""
    fresh = await store.hear(turn.conn, [envelope.id for envelope in envelopes], turn.now)
    changes = [envelope for envelope in envelopes if envelope.id in fresh]
    if changes:
        note = note_of_sites([change.data for change in changes])
        await _raise(desk, turn, [(changes[0], note)])


async def _raise_fresh(desk: Desk, turn: Turn, told: Sequence[Told]) -> None:
    """Raise notes, but none of an event that was heard before, and no warning in its quiet time."""
    if told:
        fresh = await store.hear(turn.conn, [envelope.id for envelope, _ in told], turn.now)
        once = _once([(envelope, note) for envelope, note in told if envelope.id in fresh])
        await _raise(desk, turn, await _not_quiet(desk, turn, once))


async def _raise(desk: Desk, turn: Turn, told: Sequence[Told]) -> None:
    """Store, emit and deliver."""
    if not told:
        return
    numbers = await store.put_notifications(turn.conn, [note for _, note in told], turn.now)
    for number, (envelope, note) in zip(numbers, told, strict=True):
        turn.emit(_raised(number, note, turn), sequence=1, cause=envelope)
    concerned = await store.put_deliveries(turn.conn, numbers)
    await lanes.fill(turn, concerned, desk.settings.per_subscription)


def _once(told: Sequence[Told]) -> list[Told]:
    """Each event, and each warning, once: a batch may hold the same record twice."""
    first: dict[str, Told] = {}
    for envelope, note in told:
        first.setdefault(note.quiet_key or envelope.id, (envelope, note))
    return list(first.values())


async def _not_quiet(desk: Desk, turn: Turn, told: list[Told]) -> list[Told]:
    keys = [note.quiet_key for _, note in told if note.quiet_key]
    if not keys:
        return told
    until = turn.now + timedelta(seconds=desk.settings.quiet_seconds)
    may_speak = await store.begin_quiet(turn.conn, keys, turn.now, until)
    return [(envelope, note) for envelope, note in told if not note.quiet_key or note.quiet_key in may_speak]


def _raised(number: int, note: Note, turn: Turn) -> NotificationRaised:
    return NotificationRaised(
        notification_id=number,
        topic=note.topic,
        message=note.message,
        about=note.about,
        link=note.link,
        raised_at=turn.now,
    )


# -- commands -----------------------------------------------------------------------------------------------------


async def mark_read(_: Desk, turn: Turn, envelopes: Sequence[Envelope[MarkNotificationsRead]]) -> list[Verdict]:
    """Mark as read. What is read already stays so, and is no fault."""
    return [await _mark(turn, envelope) for envelope in envelopes]


async def _mark(turn: Turn, envelope: Envelope[MarkNotificationsRead]) -> Verdict:
    command = envelope.data
    faults = [*_mark_faults(command), *await _missing_faults(turn, command)]
    if faults:
        return Rejected(tuple(faults))
    marked = await store.mark_read(turn.conn, command.ids, command.up_to, turn.now)
    parts = [marked[start : start + IDS_AT_ONCE] for start in range(0, len(marked), IDS_AT_ONCE)]
    last = await store.next_reading(turn.conn, command.inbox, len(parts))
    for sequence, part in enumerate(parts, start=last - len(parts) + 1):
        turn.emit(NotificationsRead(inbox=command.inbox, ids=tuple(part)), sequence=sequence, cause=envelope)
    return Accepted({"read": len(marked)})


def _mark_faults(command: MarkNotificationsRead) -> list[Fault]:
    faults = []
    if command.inbox != INBOX:
        message = f"there is one inbox, {INBOX!r}; leave the field out"
        faults.append(Fault(code=Reason.UNKNOWN_INBOX, field="inbox", message=message, value=command.inbox))
    if not command.ids and command.up_to is None:
        message = "say which: a list of notification numbers, or `up_to` for all up to that one"
        faults.append(Fault(code=ErrorCode.MISSING_FIELD, field="ids", message=message))
    return faults


async def _missing_faults(turn: Turn, command: MarkNotificationsRead) -> list[Fault]:
    missing = set(await store.find_missing(turn.conn, command.ids)) if command.ids else set()
    return [
        Fault(
            code=Reason.UNKNOWN_NOTIFICATION,
            field=f"ids.{place}",
            message=f"there is no notification {number}; old ones are forgotten",
            value=number,
        )
        for place, number in enumerate(command.ids)
        if number in missing
    ]


# -- timers -------------------------------------------------------------------------------------------------------


async def prune(desk: Desk, turn: Turn, _: Sequence[Timer]) -> None:
    """Keep the history within its bounds, and come again."""
    settings = desk.settings
    await store.prune(turn.conn, turn.now, turn.now - timedelta(days=settings.keep_days), settings.keep_notifications)
    turn.set_timer("prune", "history", turn.now + timedelta(seconds=settings.prune_seconds))


HANDLERS: dict[type[Message], Callable[[Desk, Turn, Sequence[Envelope[Any]]], Awaitable[list[Verdict] | None]]] = {
    AddSubscription: add_subscription,
    RemoveSubscription: remove_subscription,
    MarkNotificationsRead: mark_read,
    SitesChanged: tell_of_sites,
    ReleaseAvailable: tell,
    ReleaseRejected: tell,
    ReleaseWithdrawn: tell,
    OperationSucceeded: tell,
    OperationFailed: tell,
    StrategyStateChanged: tell_of_strategies,
    FailureRateHigh: tell_of_advice,
    StrategySilent: tell_of_advice,
}

TIMERS: dict[str, Callable[[Desk, Turn, Sequence[Timer]], Awaitable[None]]] = {"prune": prune}


def of_a_strategy(attributes: Attributes) -> bool:
    """Whether a record is how a step's operation ended, by its headers alone: the strategy speaks for its sites.

    What a strategy asks for carries the strategy's id as its correlation, and begins the operation's id with it.
    """
    if attributes.get("ce_type") not in ENDS:
        return False
    return attributes.get("ce_subject", "").startswith(attributes.get("ce_correlationid", "") + ".")


ENDS = frozenset({OperationSucceeded.TYPE, OperationFailed.TYPE})
