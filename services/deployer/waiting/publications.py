"""Operations wait until the release that they go to is published; then they are judged as if asked for now."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from services.deployer.domain import Facts, faults_of
from services.deployer.judging import judged_by
from services.deployer.store import Store
from services.deployer.waiting.store import Begun, Settled, WaitingStore
from shared.core.transaction import Transaction
from shared.messages.base import Message
from shared.messages.catalog import PublicationSettled
from shared.messages.deployer import Cause
from shared.wire.codec import Envelope

MOST = 2_000
"""Characters of a cause."""


async def take_settled(tx: Transaction, events: Sequence[Envelope[PublicationSettled]]) -> None:
    """Learn how publications ended, and let those go on who wait for them."""
    await WaitingStore(tx.conn).put_publications([event.data for event in events], tx.now)
    await go_on(tx)


async def go_on(tx: Transaction) -> None:
    """Let operations begin whose publication has ended, or end with what was wrong with it."""
    store = WaitingStore(tx.conn)
    settled = await store.lock_settled()
    if not settled:
        return
    facts = iter(await judged_by(None, Store(tx.conn), [each.request for each in settled if each.request.data.version]))
    begun = [_begun(each, next(facts) if each.request.data.version else None) for each in settled]
    tx.queued |= bool(await store.free_settled(begun))


def _begun(settled: Settled, facts: Facts | None) -> Begun:
    request = settled.request
    if facts is None:
        return Begun(request.operation_id, None, None, _failed(settled))
    if cause := _of_another_app(settled):
        return Begun(request.operation_id, facts.deployment.version, None, cause)
    facts = replace(facts, busy_with=None)  # by this very operation
    faults = faults_of(request.data, facts)
    cause = Cause(code=faults[0].code, message=_listed([fault.message for fault in faults])) if faults else None
    return Begun(request.operation_id, facts.deployment.version, facts.version, cause, facts.terms)


def _failed(settled: Settled) -> Cause:
    why = _listed(settled.faults) or f"the publication was {settled.state}"
    return Cause(code="upload_failed", message=why)


def _of_another_app(settled: Settled) -> Cause | None:
    asked = settled.request.data.app
    if settled.published_app in (None, asked):
        return None
    message = f"what was published is a release of '{settled.published_app}', but the operation is on '{asked}'"
    return Cause(code="upload_failed", message=message)


def _listed(messages: Sequence[str]) -> str:
    return "; ".join(messages)[:MOST]


HANDLERS: dict[type[Message], Callable[..., Awaitable[None]]] = {PublicationSettled: take_settled}
