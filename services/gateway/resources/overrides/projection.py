"""Overrides as their owner told of them: each change once, in whatever order they come."""

from collections.abc import Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.overrides import store
from services.gateway.resources.overrides.store import ChangeRow
from shared.messages import deployer
from shared.wire.codec import Envelope


async def learn_overrides(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """What is set, and how it came to that."""
    changes = [event.data for event in events if isinstance(event.data, deployer.OverridesChanged)]
    await store.put_changes(tx.conn, [_row(change) for change in changes])


def _row(c: deployer.OverridesChanged) -> ChangeRow:
    place = (c.app, str(c.level), c.target or "", c.component)
    return ChangeRow(*place, c.nth, c.values, c.enabled, c.namespace, c.at, c.by, c.reason)


KINDS = (deployer.OverridesChanged,)
