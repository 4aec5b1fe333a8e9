"""What the deployer does with each message: load, decide, save, emit; a whole batch at a time."""

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from services.deployer.alive import store as alive
from services.deployer.alive.commands import check_sites
from services.deployer.automatic.handlers import HANDLERS as AUTOMATIC
from services.deployer.automatic.noting import new_of, note
from services.deployer.automatic.triggers import occurred
from services.deployer.deletion.handlers import HANDLERS as DELETION
from services.deployer.dependencies.needs import apps_named
from services.deployer.dependencies.store import rely_on
from services.deployer.domain import Facts, Operation, faults_of
from services.deployer.engine.leases import Leases
from services.deployer.engine.planner import Planner
from services.deployer.judging import Request, judged_by, operation_of, single
from services.deployer.overrides import told as overrides
from services.deployer.overrides.commands import change_overrides
from services.deployer.phases import LEAVING, may_be_stopped, point_of_no_return
from services.deployer.prestage.preparation import HANDLERS as PREPARATION
from services.deployer.prestage.preparation import have_prepared, ready
from services.deployer.secrets.commands import change_secrets
from services.deployer.site_runs import store as site_runs
from services.deployer.site_runs.chains import Chained, begin_chains, not_there
from services.deployer.store import Known, Loaded, Store
from services.deployer.waiting import publications
from shared.core.dispatching import Handlers
from shared.core.gone import of_the_living
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.core.wakeup import Wakeup
from shared.messages.base import Event, Fault, Message, listed
from shared.messages.catalog import ReleaseAvailable, ReleaseWithdrawn
from shared.messages.deployer import (
    CancelOperation,
    CheckSite,
    ClearOverrides,
    OperationRefused,
    OperationsTaken,
    RemoveSecret,
    RequestOperation,
    RequestOperations,
    RestoreOverrides,
    SetOverrides,
    SetSecret,
)
from shared.messages.strategy import (
    FLEET,
    AlarmCleared,
    AlarmRaised,
    GroupDeleted,
    SitesChanged,
    SitesHeld,
    SitesReleased,
    SitesRemoved,
)
from shared.sealing import KeyPair
from shared.wire.codec import Envelope

E = TypeVar("E", bound=Event)
Taken = Operation | tuple[Fault, ...]
"""The operation that begins, or every reason why none does."""


# -- requests -----------------------------------------------------------------------------------------------------


async def request_operation(
    planner: Planner, leases: Leases, tx: Transaction, commands: Sequence[Envelope[RequestOperation]]
) -> list[Reply]:
    """Accept and store what may begin; refuse the rest with every reason; plan what is only a preview."""
    requests = [Request(c.id, c.data, c.root, c.actor) for c in commands]
    judged = await take(planner, leases, tx, requests)
    taken = [t for _, t in judged]
    replies: list[Reply] = [Rejected(t) if isinstance(t, tuple) else Accepted(_summary(t, f)) for f, t in judged]
    previews = [
        (n, t)
        for n, (t, r) in enumerate(zip(taken, requests, strict=True))
        if r.data.preview and not isinstance(t, tuple)
    ]
    plans = await planner.preview(Store(tx.conn), [operation for _, operation in previews])
    for (position, _), plan in zip(previews, plans, strict=True):
        facts, operation = judged[position]
        no_return = None if isinstance(operation, tuple) else point_of_no_return(operation.kind, operation.recover)
        shown = [way.model_dump(mode="json") for way in plan]
        replies[position] = Accepted({"plan": shown, "point_of_no_return": no_return, **_more(facts)})
    return replies


async def request_operations(
    planner: Planner, leases: Leases, tx: Transaction, commands: Sequence[Envelope[RequestOperations]]
) -> list[Reply]:
    """The same for batches: each is accepted, and its answer names the operations that may not begin."""
    requests = [single(command, one) for command in commands for one in command.data.operations]
    taken = [t for _, t in await take(planner, leases, tx, requests)]
    refused = [r.operation_id for r, t in zip(requests, taken, strict=True) if isinstance(t, tuple)]
    known = await Store(tx.conn).operations(refused) if refused else {}
    outcomes = iter(taken)
    return [Accepted(_taken(c.data, [next(outcomes) for _ in c.data.operations], known)) for c in commands]


def _taken(batch: RequestOperations, outcomes: Sequence[Taken], known: Mapping[str, Known]) -> dict[str, Any]:
    """An operation that was taken before is not refused for what it did itself: its site is on the release now."""
    refused = [
        OperationRefused(operation_id=one.operation_id, faults=listed(taken))
        for one, taken in zip(batch.operations, outcomes, strict=True)
        if isinstance(taken, tuple) and not _same(known.get(one.operation_id), one.site, batch.strategy_id)
    ]
    return OperationsTaken(refused=tuple(refused)).model_dump(mode="json") if refused else {}


def _same(known: Known | None, site: str, strategy_id: str | None) -> bool:
    """Whether it is this one that is known under its id: anybody may give an operation of theirs any id."""
    return known is not None and (known.site, known.strategy_id) == (site, strategy_id)


async def take(
    planner: Planner | None, leases: Leases, tx: Transaction, requests: Sequence[Request], *, chained: bool = True
) -> list[tuple[Facts, Taken]]:
    """The operation that each request begins, or every reason why it may not; previews begin none.

    What needs other apps before it begins behind them (`chained`), or else not at all.
    """
    store = Store(tx.conn)
    taken: list[tuple[Facts, Taken]] = []
    begun: dict[str, Loaded] = {}  # by site: a second request for it in this batch comes too late
    chains: list[Chained] = []
    for request, before in zip(requests, await judged_by(planner, store, requests), strict=True):
        facts = _with_those_begun(before, request, begun)
        operation = operation_of(request, facts)
        faults = faults_of(request.data, facts) or (() if chained else not_there(facts))
        taken.append((facts, faults or operation))
        if not faults and facts.site and not request.data.preview:
            begun[operation.site] = Loaded(operation, facts.site, facts.deployment, None, None)
            chains += [Chained(request, operation, facts.before)] if facts.before else []
    late = await _store(leases, tx, _unchained(begun, chains), {r.operation_id: r.round for r in requests})
    late |= await begin_chains(tx, chains) if chains else {}
    return [(f, t if isinstance(t, tuple) else late.get(t.id, t)) for f, t in taken]


def _unchained(begun: Mapping[str, Loaded], chains: Sequence[Chained]) -> list[Loaded]:
    """Those that begin now, and not behind others."""
    later = {chained.operation.id for chained in chains}
    return [each for each in begun.values() if each.operation.id not in later]


def _with_those_begun(facts: Facts, request: Request, begun: Mapping[str, Loaded]) -> Facts:
    if earlier := begun.get(request.data.site):
        return replace(facts, busy_with=earlier.operation.id)
    if facts.busy_with == request.operation_id:  # the same operation again, by another command: it goes on
        return replace(facts, busy_with=None)
    return facts


async def _store(
    leases: Leases, tx: Transaction, begun: Sequence[Loaded], rounds: Mapping[str, int]
) -> dict[str, Taken]:
    """Store the operations. By id those that could not be, with the reason."""
    later = await _unprepared(tx, begun)
    published = [each.operation for each in begun if each.operation.publication]
    stored = await _store_ready(leases, tx, [each for each in begun if not _waits(each.operation, later)])
    if published:
        stored |= await Store(tx.conn).insert_operations(published, None, tx.now)
        await publications.go_on(tx)  # of some the publication has ended already
    if later:
        waiting = [each.operation for each in begun if each.operation.id in later]
        kept = await Store(tx.conn).insert_operations(waiting, None, tx.now)
        stored |= kept
        if kept:
            await have_prepared(tx, [operation for operation in waiting if operation.id in kept], rounds)
    return await _not_kept(Store(tx.conn), [each.operation for each in begun if each.operation.id not in stored])


def _waits(operation: Operation, unprepared: Set[str]) -> bool:
    return operation.publication is not None or operation.id in unprepared


async def _unprepared(tx: Transaction, begun: Sequence[Loaded]) -> set[str]:
    """Ids of those that need what nobody has prepared yet, as far as is known, or that are to be marked."""
    prestages = [each.operation for each in begun if each.operation.kind in LEAVING]
    if not prestages:
        return set()
    prepared = await ready(tx, prestages)
    return {operation.id for operation in prestages if operation.force or operation.id not in prepared}


async def _store_ready(leases: Leases, tx: Transaction, begun: Sequence[Loaded]) -> set[str]:
    """Ours at once if there is room. Returns the ids of those that were stored."""
    if not begun:
        return set()
    mine = leases.runner if leases.room >= len(begun) else None
    stored = await Store(tx.conn).insert_operations([each.operation for each in begun], mine, tx.now)
    if mine:
        leases.adopt(tx, [each for each in begun if each.operation.id in stored])
    else:
        tx.queued = True
    return stored


async def _not_kept(store: Store, late: Sequence[Operation]) -> dict[str, Taken]:
    known = await store.operations([operation.id for operation in late]) if late else {}
    return {o.id: _not_stored(o, known.get(o.id)) for o in late if not _same(known.get(o.id), o.site, o.strategy_id)}


def _not_stored(operation: Operation, known: Known | None) -> tuple[Fault, ...]:
    """Another replica gave the site away meanwhile, or the id is that of another operation."""
    if known is None:
        message = f"another operation has just begun on '{operation.site}'; wait for its end or cancel it"
        return (Fault(code="site_busy", field="site", message=message, value=operation.site),)
    message = f"there is an operation '{operation.id}' already, on '{known.site}'; take another id"
    return (Fault(code="operation_exists", field="operation_id", message=message, value=operation.id),)


def _summary(operation: Operation, facts: Facts) -> dict[str, Any]:
    return {
        **_more(facts),
        "operation_id": operation.id,
        "app": operation.app,
        "kind": operation.kind,
        "from_version": operation.from_version,
        "to_version": operation.to_version,
    }


def _more(facts: Facts) -> dict[str, Any]:
    """What comes before an operation, and what is not as its release would have it; most have nothing of this."""
    first = [{"app": release.app, "version": release.version} for release in facts.before]
    return ({"first": first} if first else {}) | ({"notices": list(facts.notices)} if facts.notices else {})


async def cancel_operations(tx: Transaction, requests: Sequence[Envelope[CancelOperation]]) -> list[Reply]:
    """Note the wish; the runner that works on the operation stops it."""
    store = Store(tx.conn)
    known = await store.operations([r.data.operation_id for r in requests])
    replies = [_may_cancel(r.data, known.get(r.data.operation_id)) for r in requests]
    wishes = [
        (r.data.operation_id, r.data.reason or "cancelled on request")
        for r, v in zip(requests, replies, strict=True)
        if isinstance(v, Accepted)
    ]
    await store.wish_cancels(wishes)
    if wishes:  # some may wait for what has to come before them
        await site_runs.stop_runs_of(tx.conn, dict(wishes))
    tx.queued |= bool(wishes)  # one that waited for a preparation is to be ended
    return replies


def _may_cancel(request: CancelOperation, known: Known | None) -> Reply:
    identifier = request.operation_id
    if known is None or known.site != request.site:
        message = f"there is no operation {identifier} on '{request.site}'"
        return Rejected.because("unknown_operation", message, "operation_id", identifier)
    if known.finished:
        message = f"operation {identifier} has ended already"
        return Rejected.because("already_finished", message, "operation_id", identifier)
    if known.phase and not may_be_stopped(known.kind, known.phase):
        message = (
            f"{known.kind} {identifier} is at '{known.site}' already: stopped half-way it would leave an error there"
        )
        return Rejected.because("not_stoppable", f"{message}; wait for its end", "operation_id", identifier)
    return Accepted({"operation_id": identifier})


# -- what others own ----------------------------------------------------------------------------------------------


async def take_releases(tx: Transaction, events: Sequence[Envelope[ReleaseAvailable]]) -> None:
    """Learn of releases that may be deployed."""
    living = await of_the_living(tx.conn, events)
    await Store(tx.conn).put_releases(event.data for event in living)
    if named := {app for event in living for app in apps_named(event.data.rules)}:
        await rely_on(tx.conn, named)
    await publications.go_on(tx)


async def withdraw_releases(tx: Transaction, events: Sequence[Envelope[ReleaseWithdrawn]]) -> None:
    """Let no new operation choose them."""
    living = await of_the_living(tx.conn, events)
    await Store(tx.conn).withdraw_releases((event.data.app, event.data.version) for event in living)


async def change_sites(tx: Transaction, events: Sequence[Envelope[SitesChanged]]) -> None:
    """Learn of sites; what is said last counts."""
    store = Store(tx.conn)
    changes = [site for event in await _fresh(store, events) for site in event.sites]
    last = {site.name: site for site in changes}
    await alive.ask_changed(tx.conn, {site.name: site.connections for site in last.values()}, tx.now)
    happened = await new_of(tx, changes)
    await store.put_sites(last.values())
    await note(tx, happened)


async def remove_sites(tx: Transaction, events: Sequence[Envelope[SitesRemoved]]) -> None:
    """Forget sites; operations on them come to their end."""
    store = Store(tx.conn)
    names = [name for event in await _fresh(store, events) for name in event.names]
    # What is known of them before what is wished for there: whoever finds that a site answers again holds the first,
    # and then wishes.
    await alive.forget_sites(tx.conn, names, tx.now)
    await store.remove_sites(names)
    await overrides.forget(tx, "site", names)


async def remove_groups(tx: Transaction, events: Sequence[Envelope[GroupDeleted]]) -> None:
    """Forget what is set for groups that are gone."""
    gone = await _fresh(Store(tx.conn), events)
    await overrides.forget(tx, "group", [event.name for event in gone])


async def note_alarms(tx: Transaction, events: Sequence[Envelope[AlarmRaised | AlarmCleared]]) -> None:
    """Learn which alarms affect the management of sites; what is said last counts."""
    store = Store(tx.conn)
    fresh = await _fresh(store, events)
    await store.put_alarms({event.site: event.affecting for event in fresh})
    cleared = [event for event in fresh if isinstance(event, AlarmCleared)]
    await note(tx, [(event.site, occurred("alarm_cleared", alarm=[event.alarm])) for event in cleared])


async def hold_sites(tx: Transaction, events: Sequence[Envelope[SitesHeld]]) -> None:
    """Keep single operations off the sites of a strategy."""
    store = Store(tx.conn)
    holds = {name: (name, e.strategy_id, e.strategy) for e in await _fresh(store, events) for name in e.names}
    await store.hold_sites(holds.values())


async def release_sites(tx: Transaction, events: Sequence[Envelope[SitesReleased]]) -> None:
    """Let the sites of a strategy go."""
    store = Store(tx.conn)
    await store.release_sites([event.strategy_id for event in await _fresh(store, events)])


async def _fresh(store: Store, events: Sequence[Envelope[E]]) -> list[E]:
    """The events of the fleet that were not taken before: a repeated one must not undo what came after it."""
    last = await store.feed(FLEET)
    fresh = [event for event in events if event.sequence == 0 or event.sequence > last]
    newest = max((event.sequence for event in fresh), default=0)
    if newest > last:
        await store.save_feed(FLEET, newest)
    return [event.data for event in fresh]


def handlers(planner: Planner, leases: Leases, keys: KeyPair, wanted: Wakeup | None = None) -> Handlers:
    """HANDLERS, with the planner that previews need, the leases of the runner that begins what they accept, the keys
    that open what is set as a secret, and what wakes those who check sites (None = nobody does)."""
    single, many = partial(request_operation, planner, leases), partial(request_operations, planner, leases)
    secrets = partial(change_secrets, keys)  # one for both kinds, so that their order is kept
    own: Handlers = {RequestOperation: single, RequestOperations: many, SetSecret: secrets, RemoveSecret: secrets}
    own = {**own, CheckSite: partial(check_sites, wanted)}
    return {**HANDLERS, **own}


# What others own comes first: requests build on it.
HANDLERS: dict[type[Message], Callable[..., Awaitable[list[Reply] | None]]] = {
    ReleaseAvailable: take_releases,
    ReleaseWithdrawn: withdraw_releases,
    **DELETION,
    **PREPARATION,
    **publications.HANDLERS,
    SitesChanged: change_sites,
    SitesRemoved: remove_sites,
    GroupDeleted: remove_groups,
    AlarmRaised: note_alarms,
    AlarmCleared: note_alarms,
    SitesHeld: hold_sites,
    SitesReleased: release_sites,
    **AUTOMATIC,
    SetOverrides: change_overrides,
    RestoreOverrides: change_overrides,
    ClearOverrides: change_overrides,
    SetSecret: change_secrets,
    RemoveSecret: change_secrets,
    RequestOperation: request_operation,
    RequestOperations: request_operations,
    CancelOperation: cancel_operations,
    CheckSite: check_sites,
}
