"""Operations wait until what they bring is prepared: asked for once for all of them, and freed all at once."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.deployer.domain import Operation
from services.deployer.prestage.store import Mark, Pair, Preparation, PrestageStore
from shared.core.transaction import Transaction
from shared.messages import catalog
from shared.messages.base import Message
from shared.messages.deployer import Cause
from shared.wire.codec import Envelope


async def ready(tx: Transaction, operations: Sequence[Operation]) -> set[str]:
    """Ids of those that need not wait, as far as can be seen without waiting for anybody."""
    known = await PrestageStore(tx.conn).prepared(_release_of(o) for o in operations)
    return {o.id for o in operations if _release_of(o) in known}


async def have_prepared(tx: Transaction, operations: Sequence[Operation], rounds: Mapping[str, int]) -> None:
    """Let operations that were just stored wait for the preparation of their releases, and ask for it once a release
    and somebody on whose behalf.

    Who waits already is not asked for twice, and one that failed for the same strategy and round is not tried again:
    these end at once. `rounds`: by operation, that of its strategy's tries.
    """
    store = PrestageStore(tx.conn)
    stand = await store.lock_preparations(_release_of(o) for o in operations)
    marks = [_mark(o, stand[_release_of(o)], _on_behalf(o, rounds.get(o.id, 1))) for o in operations]
    await store.mark(marks)
    waiting = [(o, mark) for o, mark in zip(operations, marks, strict=True) if mark.awaits]
    await store.ask_preparations(_release_of(o) for o, _ in waiting)
    for o, mark in {mark.awaits: (o, mark) for o, mark in waiting}.values():
        command = catalog.PrepareRelease(app=o.app, version=o.to_version or "", on_behalf=mark.on_behalf)
        tx.emit(command, message_id=mark.awaits, actor=o.actor, correlation_id=o.correlation_id)
    tx.queued |= len(waiting) < len(operations)


def _mark(operation: Operation, stands: Preparation, on_behalf: str) -> Mark:
    failed = stands.cause if on_behalf in stands.failed_for and not stands.prepared else None
    asks = None if stands.prepared or failed else _command_id(_release_of(operation), on_behalf)
    return Mark(operation.id, on_behalf, asks, failed, operation.force)


def _on_behalf(operation: Operation, round_: int) -> str:
    """A failed preparation is tried again for a new one of these alone."""
    return f"{operation.strategy_id}/{round_}" if operation.strategy_id else operation.id


def _command_id(release: Pair, on_behalf: str) -> str:
    """The same whoever asks, so that the catalog answers it once."""
    return "prepare-" + hashlib.sha256("\n".join((*release, on_behalf)).encode()).hexdigest()[:40]


def _release_of(operation: Operation) -> Pair:
    return operation.app, operation.to_version or ""


# -- what the catalog tells ---------------------------------------------------------------------------------------


async def take_prepared(tx: Transaction, events: Sequence[Envelope[catalog.ReleasePrepared]]) -> None:
    """Let those go on who wait."""
    tx.queued |= bool(await PrestageStore(tx.conn).put_prepared([event.data for event in events]))


async def take_failed(tx: Transaction, events: Sequence[Envelope[catalog.PreparationFailed]]) -> None:
    """Let those end who wait for it."""
    tx.queued |= bool(await PrestageStore(tx.conn).put_failed([event.data for event in events]))


async def take_refusals(tx: Transaction, answers: Sequence[Envelope[catalog.CommandRejected]]) -> None:
    """Let those end whose preparation the catalog refused."""
    refused = [_refusal(each.data) for each in answers if each.data.command_type == catalog.PrepareRelease.TYPE]
    if refused:
        tx.queued |= bool(await PrestageStore(tx.conn).free_refused(refused))


def _refusal(answer: catalog.CommandRejected) -> tuple[str, str, Cause]:
    why = "; ".join(fault.message for fault in answer.faults)
    return answer.about, answer.command_id, Cause(code="preparation_failed", message=f"{answer.code}: {why}"[:2_000])


HANDLERS: dict[type[Message], Callable[..., Awaitable[None]]] = {
    catalog.ReleasePrepared: take_prepared,
    catalog.PreparationFailed: take_failed,
    catalog.CommandRejected: take_refusals,
}
