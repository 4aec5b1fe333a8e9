"""Notes become notifications: stored, said, and handed to those who want to be told."""

from collections.abc import Sequence
from typing import Any

from services.notifier import lanes, store
from services.notifier.announcing import tell_deliveries
from services.notifier.context import Context
from services.notifier.rules import Note
from shared.core.transaction import Transaction
from shared.messages.notifier import NotificationRaised
from shared.wire.codec import Envelope

SourcedNote = tuple[Envelope[Any] | None, Note]
"""A note with the event that caused it; None where time did."""


async def raise_notes(context: Context, tx: Transaction, told: Sequence[SourcedNote]) -> None:
    """Store, emit and deliver, in this order."""
    if not told:
        return
    stored = await store.put_notifications(tx.conn, [note for _, note in told], tx.now)
    for (number, message_id), (envelope, note) in zip(stored, told, strict=True):
        tx.emit(_raised(number, message_id, note, tx), sequence=1, cause=envelope)
    concerned = await store.put_deliveries(tx.conn, [number for number, _ in stored], tx.now)
    await lanes.fill(tx, [name for _, name in concerned], context.settings.per_subscription)
    await tell_deliveries(tx, [delivery_id for delivery_id, _ in concerned])


def _raised(number: int, message_id: str, note: Note, tx: Transaction) -> NotificationRaised:
    return NotificationRaised(
        notification_id=number,
        topic=note.topic,
        message=note.message,
        about=note.about,
        link=note.link,
        raised_at=tx.now,
        message_id=message_id,
        count=note.count,
        failures=note.failures,
    )
