"""The hosts that deployers install releases on."""

from collections.abc import Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.as_json import text
from services.gateway.resources.hosts import store
from services.gateway.resources.hosts.store import HostRow
from shared.messages.deployer import HostReported
from shared.wire.codec import Envelope


async def learn_hosts(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """What is said last of a host counts."""
    rows = {event.data.host: _row(event) for event in sorted(events, key=lambda event: event.time)}
    await store.put_hosts(tx.conn, list(rows.values()))


def _row(event: Envelope[HostReported]) -> HostRow:
    said = event.data
    facts = {"environment": said.environment, "abis": said.abis, "platforms": said.platforms}
    return HostRow(said.host, text(facts), event.time)


KINDS = (HostReported,)
