"""Keys that were set and removed, in their order: they come rarely, one by one."""

from collections.abc import Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.signing_keys import store
from shared.messages.catalog import SigningKeyChanged, SigningKeyRemoved
from shared.wire.codec import Envelope


async def learn_keys(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """What was said last of each counts."""
    for event in events:
        if isinstance(event.data, SigningKeyChanged):
            await store.put_key(tx.conn, event.data)
        else:
            await store.remove_key(tx.conn, event.data.app, event.data.name)


KINDS = (SigningKeyChanged, SigningKeyRemoved)
