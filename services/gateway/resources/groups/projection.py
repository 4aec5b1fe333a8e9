"""Groups."""

from collections.abc import Iterable, Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.gone import Gone, newest
from services.gateway.resources.groups import store
from services.gateway.resources.groups.store import GroupRow
from shared.messages import strategy
from shared.wire.codec import Envelope


async def learn_groups(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Groups that changed or were removed."""
    rows = list(_rows(events))
    if there := newest(rows, GroupRow):
        await store.put_groups(tx.conn, there)
    if gone := newest(rows, Gone):
        await store.remove_groups(tx.conn, gone)


def _rows(events: Sequence[Envelope[Any]]) -> Iterable[GroupRow | Gone]:
    for event in events:
        g = event.data
        if isinstance(g, strategy.GroupChanged):
            limit = str(g.max_parallel)
            yield GroupRow(g.name, g.description, g.apply_type, limit, event.sequence, event.time)
        elif isinstance(g, strategy.GroupDeleted):
            yield Gone(g.name, event.sequence, event.time)


KINDS = (strategy.GroupChanged, strategy.GroupDeleted)
