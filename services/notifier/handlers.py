"""What the notifier does with each message: events become notifications, commands mark and subscribe."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from services.notifier import batching, lanes, store
from services.notifier.batching import raise_or_batch
from services.notifier.context import Context
from services.notifier.domain import Reason
from services.notifier.raising import SourcedNote
from services.notifier.redelivery import redeliver, send_test
from services.notifier.rules import (
    FAILURES_TOLD,
    Note,
    failure_of,
    note_of,
    notes_of_availability,
    notes_of_drift,
    notes_of_sites,
    with_failures,
)
from services.notifier.subscriptions import add_subscription, enable_subscription, remove_subscription
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.pruning import AT_ONCE, PAUSE_SECONDS
from shared.core.transaction import Timer, Transaction
from shared.messages.base import ErrorCode, Event, Fault, Message
from shared.messages.catalog import (
    PreparationFailed,
    ReleaseAvailable,
    ReleaseDeleted,
    ReleaseDeletionRefused,
    ReleaseRejected,
    ReleaseWithdrawn,
)
from shared.messages.deployer import (
    AvailabilityChanged,
    DriftFound,
    FailedReleaseChanged,
    OperationFailed,
    OperationSucceeded,
    SiteRunChanged,
)
from shared.messages.monitor import FailureRateHigh, StrategySilent, TroubleFound, TroubleOver
from shared.messages.notifier import (
    INBOX,
    AddSubscription,
    EnableSubscription,
    MarkNotificationsRead,
    NotificationsRead,
    NotifierKeyReported,
    RedeliverNotifications,
    RemoveSubscription,
    SendTestNotification,
)
from shared.messages.strategy import AlarmRaised, SitesChanged, StrategyStateChanged
from shared.messages.words import StrategyState
from shared.wire.codec import Attributes, Envelope

Moved = Envelope[StrategyStateChanged]

IDS_AT_ONCE = 1_000
"""The most numbers that one `NotificationsRead` lists."""


# -- events -------------------------------------------------------------------------------------------------------


async def tell(context: Context, tx: Transaction, envelopes: Sequence[Envelope[Event]]) -> None:
    """Raise what is news."""
    await _raise_fresh(
        context, tx, [(envelope, note) for envelope in envelopes if (note := note_of(envelope.data, {}))]
    )


async def tell_of_failures(context: Context, tx: Transaction, envelopes: Sequence[Envelope[OperationFailed]]) -> None:
    """Single operations are news; of those of a strategy the first are kept until it comes to a stop."""
    places: Counter[str] = Counter()
    kept = []
    for envelope in envelopes:
        if (strategy_id := envelope.data.strategy_id) and places[strategy_id] < FAILURES_TOLD:
            places[strategy_id] += 1
            kept.append((strategy_id, envelope.time, failure_of(envelope.data), places[strategy_id]))
    if kept:
        await store.add_failures(tx.conn, kept, FAILURES_TOLD)
    await tell(context, tx, envelopes)


async def tell_of_strategies(
    context: Context, tx: Transaction, envelopes: Sequence[Envelope[StrategyStateChanged]]
) -> None:
    """Remember what strategies are called, and tell of those that came to an end or a stop with their failures."""
    names = [(envelope.data.strategy_id, envelope.data.name) for envelope in envelopes]
    await store.learn_names(tx.conn, names, tx.now)
    for part in _up_to_beginnings(envelopes):
        begun = {e.data.strategy_id: e.data.at for e in part if _begins(e.data)}
        told = [(envelope, note) for envelope in part if (note := note_of(envelope.data, {}))]
        about = {note.about: begun.get(note.about) for _, note in told}
        failures = await store.find_failures(tx.conn, list(about.items())) if told else {}
        await _raise_fresh(context, tx, [(e, with_failures(note, failures.get(note.about, ()))) for e, note in told])
        if begun:
            await store.forget_failures(tx.conn, list(begun.items()))


def _begins(moved: StrategyStateChanged) -> bool:
    """Whether it is set going; while it goes on it is told again with other numbers."""
    return moved.state is StrategyState.APPLYING and not moved.renewed


def _up_to_beginnings(envelopes: Sequence[Moved]) -> list[list[Moved]]:
    """Runs in which no strategy comes to a stop once it was set going: what failed before is no news then."""
    parts: list[list[Moved]] = [[]]
    begun: set[str] = set()
    for envelope in envelopes:
        moved = envelope.data
        if moved.strategy_id in begun and moved.state is not StrategyState.APPLYING:
            parts.append([])
            begun = set()
        parts[-1].append(envelope)
        begun |= {moved.strategy_id} if _begins(moved) else set()
    return parts


async def tell_of_advice(
    context: Context, tx: Transaction, envelopes: Sequence[Envelope[FailureRateHigh] | Envelope[StrategySilent]]
) -> None:
    """The monitor's warnings, with the strategy's name."""
    names = await store.find_names(tx.conn, [envelope.data.strategy_id for envelope in envelopes])
    told = [(envelope, note) for envelope in envelopes if (note := note_of(envelope.data, names))]
    await _raise_fresh(context, tx, told)


async def tell_of_sites(context: Context, tx: Transaction, envelopes: Sequence[Envelope[SitesChanged]]) -> None:
    """One notification for all sites that change about the same time."""
    fresh = await store.hear(tx.conn, [envelope.id for envelope in envelopes], tx.now)
    changes = [envelope for envelope in envelopes if envelope.id in fresh]
    await raise_or_batch(context, tx, [(e, note) for e in changes for note in notes_of_sites(e.data)])


async def tell_of_availability(
    context: Context, tx: Transaction, envelopes: Sequence[Envelope[AvailabilityChanged]]
) -> None:
    """One notification for all sites that go offline about the same time, and one for those that come back."""
    told = [(envelope, notes) for envelope in envelopes if (notes := notes_of_availability(envelope.data))]
    fresh = await store.hear(tx.conn, [envelope.id for envelope, _ in told], tx.now) if told else ()
    news = [(envelope, note) for envelope, notes in told if envelope.id in fresh for note in notes]
    if news:
        await raise_or_batch(context, tx, news)


async def tell_of_drift(context: Context, tx: Transaction, envelopes: Sequence[Envelope[DriftFound]]) -> None:
    """One notification for all that is found not to be as it was left about the same time."""
    fresh = await store.hear(tx.conn, [envelope.id for envelope in envelopes], tx.now)
    found = [envelope for envelope in envelopes if envelope.id in fresh]
    if found:
        await raise_or_batch(context, tx, [(e, note) for e in found for note in notes_of_drift(e.data)])


async def _raise_fresh(context: Context, tx: Transaction, told: Sequence[tuple[Envelope[Any], Note]]) -> None:
    """Raise notes, but none of an event that was heard before, and no warning in its quiet time."""
    if told:
        fresh = await store.hear(tx.conn, [envelope.id for envelope, _ in told], tx.now)
        heard: list[SourcedNote] = []
        for part in _parts([(envelope, note) for envelope, note in told if envelope.id in fresh]):
            spoken = await _not_quiet(context, tx, _once(part))
            heard += spoken
            if over := [note.ends_quiet for _, note in spoken if note.ends_quiet]:
                await store.end_quiet(tx.conn, over)
        await raise_or_batch(context, tx, heard)


def _parts(told: Sequence[SourcedNote]) -> list[list[SourcedNote]]:
    """In their order, cut behind each that lets others be told again."""
    parts: list[list[SourcedNote]] = [[]]
    for each in told:
        parts[-1].append(each)
        if each[1].ends_quiet:
            parts.append([])
    return parts


def _once(told: Sequence[SourcedNote]) -> list[SourcedNote]:
    """Each event, and each warning, once: a batch may hold the same record twice."""
    first: dict[str, SourcedNote] = {}
    for envelope, note in told:
        first.setdefault(note.quiet_key or (envelope.id if envelope else ""), (envelope, note))
    return list(first.values())


async def _not_quiet(context: Context, tx: Transaction, told: list[SourcedNote]) -> list[SourcedNote]:
    keys = [note.quiet_key for _, note in told if note.quiet_key]
    if not keys:
        return told
    until = tx.now + timedelta(seconds=context.settings.quiet_seconds)
    may_speak = await store.begin_quiet(tx.conn, keys, tx.now, until)
    return [(envelope, note) for envelope, note in told if not note.quiet_key or note.quiet_key in may_speak]


# -- commands -----------------------------------------------------------------------------------------------------


async def mark_read(_: Context, tx: Transaction, envelopes: Sequence[Envelope[MarkNotificationsRead]]) -> list[Reply]:
    """Mark as read. What is read already stays so, and is no fault."""
    return [await _mark(tx, envelope) for envelope in envelopes]


async def _mark(tx: Transaction, envelope: Envelope[MarkNotificationsRead]) -> Reply:
    command = envelope.data
    faults = [*_mark_faults(command), *await _missing_faults(tx, command)]
    if faults:
        return Rejected(tuple(faults))
    marked = await store.mark_read(tx.conn, command.ids, command.up_to, tx.now)
    parts = [marked[start : start + IDS_AT_ONCE] for start in range(0, len(marked), IDS_AT_ONCE)]
    last = await store.next_reading(tx.conn, command.inbox, len(parts))
    for sequence, part in enumerate(parts, start=last - len(parts) + 1):
        tx.emit(NotificationsRead(inbox=command.inbox, ids=tuple(part)), sequence=sequence, cause=envelope)
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


async def _missing_faults(tx: Transaction, command: MarkNotificationsRead) -> list[Fault]:
    missing = set(await store.find_missing(tx.conn, command.ids)) if command.ids else set()
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


async def prune(context: Context, tx: Transaction, _: Sequence[Timer]) -> None:
    """Keep the history within its bounds, a batch a transaction, and come again: soon where there is more."""
    settings = context.settings
    before = tx.now - timedelta(days=settings.keep_days)
    more = await store.prune(tx.conn, tx.now, before, settings.keep_notifications, AT_ONCE)
    tx.set_timer("prune", "history", tx.now + timedelta(seconds=PAUSE_SECONDS if more else settings.prune_seconds))


async def report_key(context: Context, tx: Transaction, _: Sequence[Timer]) -> None:
    """Say what secrets for us are sealed to, once a day: who reads all topics anew finds it in the last of them."""
    tx.emit(NotifierKeyReported(key_id=context.keys.id, public_key=context.keys.public))
    tx.set_timer("report_key", "sealing", tx.now + timedelta(days=1))


HANDLERS: dict[
    type[Message], Callable[[Context, Transaction, Sequence[Envelope[Any]]], Awaitable[list[Reply] | None]]
] = {
    AddSubscription: add_subscription,
    RemoveSubscription: remove_subscription,
    EnableSubscription: enable_subscription,
    SendTestNotification: send_test,
    RedeliverNotifications: redeliver,
    MarkNotificationsRead: mark_read,
    SitesChanged: tell_of_sites,
    AvailabilityChanged: tell_of_availability,
    DriftFound: tell_of_drift,
    FailedReleaseChanged: tell,
    SiteRunChanged: tell,
    AlarmRaised: tell,
    ReleaseAvailable: tell,
    ReleaseRejected: tell,
    ReleaseWithdrawn: tell,
    ReleaseDeleted: tell,
    ReleaseDeletionRefused: tell,
    PreparationFailed: tell,
    OperationSucceeded: tell,
    OperationFailed: tell_of_failures,
    StrategyStateChanged: tell_of_strategies,
    FailureRateHigh: tell_of_advice,
    StrategySilent: tell_of_advice,
    TroubleFound: tell,
    TroubleOver: tell,
}

TIMERS: dict[str, Callable[[Context, Transaction, Sequence[Timer]], Awaitable[None]]] = {
    "prune": prune,
    "report_key": report_key,
    batching.TIMER: batching.tell_batches,
    lanes.TIMER: lanes.fill_when_due,
}


def of_a_strategy(attributes: Attributes) -> bool:
    """Whether a record is how a step's operation succeeded, by its headers alone: the strategy speaks for its sites.

    So does a run over all apps of a site for these.

    What a strategy or a run asks for carries its id as its correlation, and begins the operation's id with it.
    """
    if attributes.get("ce_type") not in ENDS:
        return False
    return attributes.get("ce_subject", "").startswith(attributes.get("ce_correlationid", "") + ".")


ENDS = frozenset({OperationSucceeded.TYPE})
