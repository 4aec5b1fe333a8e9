"""Operations wait until the release that they go to is published; then they are judged as if asked for now."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from services.deployer.domain import Facts, faults_of
from services.deployer.judging import judged_by, operation_of
from services.deployer.overrides.terms import PLAIN_TERMS
from services.deployer.site_runs.chains import Chained, begin_chains
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
    judged = [(each, next(facts) if each.request.data.version else None) for each in settled]
    begun = [_begun(each, known) for each, known in judged]
    begun = await _behind_others(tx, store, judged, begun)
    tx.queued |= bool(await store.free_settled(begun))


async def _behind_others(
    tx: Transaction, store: WaitingStore, judged: Sequence[tuple[Settled, Facts | None]], begun: Sequence[Begun]
) -> list[Begun]:
    """Those that need other apps first become the last operation of a run, as if they were asked for now. Their rows
    give way: a site has one operation at a time. Returns the others, and those for which no run could begin."""
    chains = [
        Chained(settled.request, operation_of(settled.request, facts), facts.before)
        for (settled, facts), begin in zip(judged, begun, strict=True)
        if facts and facts.before and not begin.refused and not settled.cancelled
    ]
    if not chains:
        return list(begun)
    late = await begin_chains(tx, chains)
    gone = {each.operation.id for each in chains} - late.keys()
    await store.give_way(sorted(gone))
    refused = {key: Cause(code=faults[0].code, message=faults[0].message) for key, faults in late.items()}
    return [b._replace(refused=refused.get(b.id, b.refused)) for b in begun if b.id not in gone]


def _begun(settled: Settled, facts: Facts | None) -> Begun:
    request = settled.request
    if facts is None:
        return Begun(request.operation_id, _failed(settled))
    operation = operation_of(request, facts)
    if cause := _of_another_app(settled):
        return Begun(request.operation_id, cause, replace(operation, to_version=None, terms=PLAIN_TERMS))
    facts = replace(facts, busy_with=None)  # by this very operation
    faults = faults_of(request.data, facts)
    cause = Cause(code=faults[0].code, message=_listed([fault.message for fault in faults])) if faults else None
    return Begun(request.operation_id, cause, operation)


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
