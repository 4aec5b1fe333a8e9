"""How much the bundles take."""

from collections.abc import Sequence
from operator import attrgetter

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.storage import store
from shared.messages.catalog import StorageMeasured
from shared.wire.codec import Envelope


async def learn_storage(tx: LearningTransaction, events: Sequence[Envelope[StorageMeasured]]) -> None:
    """What was measured last counts."""
    last = max(events, key=attrgetter("sequence"))
    await store.put_storage(tx.conn, last.data, last.sequence)


KINDS = (StorageMeasured,)
