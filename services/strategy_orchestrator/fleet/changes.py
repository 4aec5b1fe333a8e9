"""What every change of the fleet does besides: its events in one order, and the sizes of groups."""

from collections import Counter
from collections.abc import Iterable, Sequence

from services.strategy_orchestrator import store
from services.strategy_orchestrator.fleet.group_slots import wake
from shared.core.transaction import Transaction
from shared.messages.base import Event


async def emit_fleet(tx: Transaction, events: Sequence[tuple[Event, str]]) -> None:
    """Send events about sites and groups, with their correlation ids, each with the fleet's next sequence number."""
    if not events:
        return
    first = await store.sites.next_fleet_sequence(tx.conn, len(events))
    for number, (event, correlation_id) in enumerate(events, first):
        tx.emit(event, sequence=number, correlation_id=correlation_id)


async def resize(tx: Transaction, left: Iterable[str | None], joined: Iterable[str | None]) -> None:
    """Sites left these groups and joined those: per cents are of other numbers now, and strategies may go on."""
    changes = Counter(group for group in joined if group)
    changes.subtract(group for group in left if group)
    if moved := {group: change for group, change in changes.items() if change}:
        await store.groups.resize_groups(tx.conn, moved)
        await wake(tx, moved)
