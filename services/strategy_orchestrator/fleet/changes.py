"""What every change of the fleet does besides: its events in one order, and the sizes of groups."""

from collections import Counter
from collections.abc import Iterable

from services.strategy_orchestrator import store
from services.strategy_orchestrator.fleet.group_slots import wake
from shared.core.transaction import NUMBERED_LAST, Transaction
from shared.messages.base import Event


def emit_fleet(tx: Transaction, events: Iterable[tuple[Event, str]]) -> None:
    """Send events about sites and groups, with their correlation ids, in the one order of the fleet.

    Their numbers are taken last: whoever changed the same site, group or hold before has committed by then.
    """
    for event, correlation_id in events:
        tx.emit(event, sequence=NUMBERED_LAST, correlation_id=correlation_id)


async def resize(tx: Transaction, left: Iterable[str | None], joined: Iterable[str | None]) -> None:
    """Sites left these groups and joined those: per cents are of other numbers now, and strategies may go on."""
    changes = Counter(group for group in joined if group)
    changes.subtract(group for group in left if group)
    if moved := {group: change for group, change in changes.items() if change}:
        await store.groups.resize_groups(tx.conn, moved)
        await wake(tx, moved)
