"""What the deployer does with each message: load, decide, save, emit; a whole batch at a time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from services.deployer.domain import Facts, Operation, faults_of, wanted
from services.deployer.planner import Planner
from services.deployer.store import QUEUE, Store
from shared.bus import Handlers
from shared.codec import Envelope
from shared.inbox import Accepted, Rejected, Verdict
from shared.ledger import Turn
from shared.messages.base import Event, Message
from shared.messages.catalog import ReleaseAvailable, ReleaseWithdrawn
from shared.messages.deployer import CancelOperation, RequestOperation
from shared.messages.strategy import FLEET, SitesChanged, SitesHeld, SitesReleased, SitesRemoved

E = TypeVar("E", bound=Event)


# -- requests -----------------------------------------------------------------------------------------------------


async def request_operations(
    planner: Planner, turn: Turn, requests: Sequence[Envelope[RequestOperation]]
) -> list[Verdict]:
    """Accept and queue what may begin; refuse the rest with every reason; plan what is only a preview."""
    store = Store(turn.conn)
    verdicts: list[Verdict] = []
    begun: dict[str, Operation] = {}  # by site: a second request for it in this batch comes too late
    previews: list[tuple[int, Operation]] = []
    for request, facts in zip(requests, await _judged_by(store, [r.data for r in requests]), strict=True):
        earlier = begun.get(request.data.site)
        faults = faults_of(request.data, replace(facts, busy_with=earlier.id) if earlier else facts)
        operation = _operation(request, facts)
        verdicts.append(Rejected(faults) if faults else Accepted(_summary(operation)))
        if not faults and request.data.preview:
            previews.append((len(verdicts) - 1, operation))
        elif not faults:
            begun[operation.site] = operation
    await _queue(turn, store, list(begun.values()), verdicts)
    for (position, _), plan in zip(previews, await planner.preview(store, [o for _, o in previews]), strict=True):
        verdicts[position] = Accepted({"plan": [way.model_dump(mode="json") for way in plan]})
    return verdicts


async def _judged_by(store: Store, requests: Sequence[RequestOperation]) -> list[Facts]:
    known = await store.facts((r.site, r.app) for r in requests)
    versions = [wanted(request, facts.deployment) for request, facts in zip(requests, known, strict=True)]
    releases, apps = await store.releases((r.app, v or "") for r, v in zip(requests, versions, strict=True))
    return [
        Facts(f.site, f.deployment, v, releases.get((r.app, v or "")), r.app in apps, f.held_by, f.busy_with)
        for r, f, v in zip(requests, known, versions, strict=True)
    ]


def _operation(request: Envelope[RequestOperation], facts: Facts) -> Operation:
    data = request.data
    return Operation(
        id=request.id,
        site=data.site,
        app=data.app,
        kind=data.kind,
        from_version=facts.deployment.version,
        to_version=facts.version,
        timeout_seconds=data.timeout_seconds,
        strategy_id=data.strategy_id,
        correlation_id=request.root,
        actor=request.actor,
    )


def _summary(operation: Operation) -> dict[str, Any]:
    return {
        "operation_id": operation.id,
        "app": operation.app,
        "kind": operation.kind,
        "from_version": operation.from_version,
        "to_version": operation.to_version,
    }


async def _queue(turn: Turn, store: Store, operations: Sequence[Operation], verdicts: list[Verdict]) -> None:
    """Store the operations and their jobs; one that another replica forestalled is refused after all."""
    if not operations:
        return
    stored = await store.insert_operations(operations, turn.now)
    await turn.put_jobs(QUEUE, [(o.id, {}) for o in operations if o.id in stored])
    if len(stored) == len(operations):
        return
    late = {o.id: o.site for o in operations if o.id not in stored}
    for position, verdict in enumerate(verdicts):
        if isinstance(verdict, Accepted) and (site := late.get(verdict.result.get("operation_id", ""))):
            message = f"another operation has just begun on '{site}'; wait for its end or cancel it"
            verdicts[position] = Rejected.because("site_busy", message, "site", site)


async def cancel_operations(turn: Turn, requests: Sequence[Envelope[CancelOperation]]) -> list[Verdict]:
    """Note the wish; the runner that works on the operation stops it."""
    store = Store(turn.conn)
    known = await store.operations([r.data.operation_id for r in requests])
    verdicts = [_may_cancel(r.data, known.get(r.data.operation_id)) for r in requests]
    wishes = [
        (r.data.operation_id, r.data.reason or "cancelled on request")
        for r, v in zip(requests, verdicts, strict=True)
        if isinstance(v, Accepted)
    ]
    await store.wish_cancels(wishes)
    return verdicts


def _may_cancel(request: CancelOperation, known: tuple[str, bool] | None) -> Verdict:
    identifier = request.operation_id
    if known is None or known[0] != request.site:
        message = f"there is no operation {identifier} on '{request.site}'"
        return Rejected.because("unknown_operation", message, "operation_id", identifier)
    if known[1]:
        message = f"operation {identifier} has ended already"
        return Rejected.because("already_finished", message, "operation_id", identifier)
    return Accepted({"operation_id": identifier})


# -- what others own ----------------------------------------------------------------------------------------------


async def take_releases(turn: Turn, events: Sequence[Envelope[ReleaseAvailable]]) -> None:
    """Learn of releases that may be deployed."""
    await Store(turn.conn).put_releases(event.data for event in events)


async def withdraw_releases(turn: Turn, events: Sequence[Envelope[ReleaseWithdrawn]]) -> None:
    """Let no new operation choose them."""
    await Store(turn.conn).withdraw_releases((event.data.app, event.data.version) for event in events)


async def change_sites(turn: Turn, events: Sequence[Envelope[SitesChanged]]) -> None:
    """Learn of sites; what is said last counts."""
    store = Store(turn.conn)
    last = {site.name: site for event in await _fresh(store, events) for site in event.sites}
    await store.put_sites(last.values())


async def remove_sites(turn: Turn, events: Sequence[Envelope[SitesRemoved]]) -> None:
    """Forget sites; operations on them come to their end."""
    store = Store(turn.conn)
    await store.remove_sites([name for event in await _fresh(store, events) for name in event.names])


async def hold_sites(turn: Turn, events: Sequence[Envelope[SitesHeld]]) -> None:
    """Keep single operations off the sites of a strategy."""
    store = Store(turn.conn)
    holds = {name: (name, e.strategy_id, e.strategy) for e in await _fresh(store, events) for name in e.names}
    await store.hold_sites(holds.values())


async def release_sites(turn: Turn, events: Sequence[Envelope[SitesReleased]]) -> None:
    """Let the sites of a strategy go."""
    store = Store(turn.conn)
    await store.release_sites([event.strategy_id for event in await _fresh(store, events)])


async def _fresh(store: Store, events: Sequence[Envelope[E]]) -> list[E]:
    """The events of the fleet that were not taken before: a repeated one must not undo what came after it."""
    last = await store.feed(FLEET)
    fresh = [event for event in events if event.sequence == 0 or event.sequence > last]
    newest = max((event.sequence for event in fresh), default=0)
    if newest > last:
        await store.save_feed(FLEET, newest)
    return [event.data for event in fresh]


def handlers(planner: Planner) -> Handlers:
    """HANDLERS, with the planner that previews need."""
    return {**HANDLERS, RequestOperation: partial(request_operations, planner)}


# What others own comes first: requests build on it.
HANDLERS: dict[type[Message], Callable[..., Awaitable[list[Verdict] | None]]] = {
    ReleaseAvailable: take_releases,
    ReleaseWithdrawn: withdraw_releases,
    SitesChanged: change_sites,
    SitesRemoved: remove_sites,
    SitesHeld: hold_sites,
    SitesReleased: release_sites,
    RequestOperation: request_operations,
    CancelOperation: cancel_operations,
}
