"""Handlers for groups of sites."""

from collections.abc import Sequence

from services.strategy_orchestrator import store
from services.strategy_orchestrator.fleet.changes import emit_fleet
from services.strategy_orchestrator.fleet.group_slots import wake
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.strategy import CreateGroup, DeleteGroup, GroupChanged, GroupDeleted, UpdateGroup
from shared.wire.codec import Envelope


async def create_group(tx: Transaction, batch: Sequence[Envelope[CreateGroup]]) -> list[Reply]:
    """Make groups; a name is taken once."""
    replies: list[Reply] = []
    for envelope in batch:
        g = envelope.data
        if not await store.groups.insert_group(tx.conn, g.name, g.description, g.apply_type, g.max_parallel):
            message = f"there is a group '{g.name}' already; update it, or take another name"
            replies.append(Rejected.because("group_exists", message, "name", g.name))
            continue
        event = GroupChanged(
            name=g.name, description=g.description, apply_type=g.apply_type, max_parallel=g.max_parallel
        )
        emit_fleet(tx, [(event, envelope.root)])
        replies.append(Accepted({"group": g.name}))
    return replies


async def update_group(tx: Transaction, batch: Sequence[Envelope[UpdateGroup]]) -> list[Reply]:
    """Change groups; a new limit holds for every site that starts from now on."""
    replies: list[Reply] = []
    for envelope in batch:
        g = envelope.data
        limit = None if g.max_parallel is None else str(g.max_parallel)
        changes = {"description": g.description, "apply_type": g.apply_type, "max_parallel": limit}
        changed = await store.groups.update_group(tx.conn, g.name, **changes)
        if changed is None:
            replies.append(_unknown_group(g.name))
            continue
        await wake(tx, [g.name])
        emit_fleet(tx, [(GroupChanged(**changed._asdict()), envelope.root)])
        replies.append(Accepted({"group": g.name}))
    return replies


async def delete_group(tx: Transaction, batch: Sequence[Envelope[DeleteGroup]]) -> list[Reply]:
    """Remove groups that have no sites."""
    replies: list[Reply] = []
    for envelope in batch:
        name = envelope.data.name
        if sites := await store.groups.count_group_sites(tx.conn, name):
            message = f"group '{name}' has {sites} sites; move or remove them first"
            replies.append(Rejected.because("group_not_empty", message, "name", name))
        elif not await store.groups.delete_group(tx.conn, name):
            replies.append(_unknown_group(name))
        else:
            emit_fleet(tx, [(GroupDeleted(name=name), envelope.root)])
            replies.append(Accepted({"group": name}))
    return replies


def _unknown_group(name: str) -> Rejected:
    return Rejected.because("unknown_group", f"there is no group '{name}'", "name", name)
