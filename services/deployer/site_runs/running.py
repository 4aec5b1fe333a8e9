"""Runs go on: what is due is begun, in one transaction with what is kept of it, by whatever replica finds it.

Killed at any point, a run stands where its rows say: either an item waits, or its operation is there and tells its end.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from services.deployer.dependencies import store as dependencies
from services.deployer.dependencies.choosing import Choice, Wish, newest
from services.deployer.dependencies.needs import Surroundings
from services.deployer.domain import Facts, Operation
from services.deployer.engine.leases import Leases
from services.deployer.handlers import take
from services.deployer.judging import HOUR, Request, operation_of
from services.deployer.site_runs import store
from services.deployer.site_runs.planning import ENDED, Item, Run, advanced
from services.deployer.site_runs.reporting import report
from services.deployer.site_runs.store import Held
from services.deployer.store import Store
from shared.core.retrying import until_done
from shared.core.transaction import Ledger, Transaction
from shared.messages.automatic import ItemState
from shared.messages.base import Cause, Fault
from shared.messages.deployer import RequestOperation
from shared.messages.words import OperationKind

LOOK_SECONDS = 0.3
IDLE_SECONDS = 1.0
AT_ONCE = 50

SOON = timedelta(0)
LATER = timedelta(seconds=1)
"""A run whose operation is under way is looked at again after so long, should nobody wake it."""

GOOD = frozenset({"already_current", "no_newer_release", "no_previous_release"})
"""Why an app is left though nothing went wrong."""


async def go_on(ledger: Ledger, leases: Leases) -> None:
    """Bring all runs to their ends, until cancelled."""
    while True:
        busy = await until_done(partial(_look, ledger, leases), "runs over sites go on later", "site_run_retry")
        await asyncio.sleep(LOOK_SECONDS if busy else IDLE_SECONDS)


async def _look(ledger: Ledger, leases: Leases) -> bool:
    """Whether any run was due."""
    async with ledger.transaction() as tx:
        held = await store.claim_runs(tx.conn, AT_ONCE)
        await stop_what_runs(tx, [each.run for each in held])
        for each in held:
            await _step(tx, leases, each)
        return bool(held)


async def _step(tx: Transaction, leases: Leases, held: Held) -> None:
    """One move of a run, and its word on it where anything is new."""
    run, item = advanced(held.run)
    pause = LATER
    if item is not None:
        run, pause = await _begin(tx, leases, replace(held, run=run), item)
    changed = [(run.id, i) for i, before in zip(run.items, held.run.items, strict=True) if i != before]
    if changed:
        await store.put_items(tx.conn, changed)
    held, news = replace(held, run=run), bool(changed) or run.state in ENDED
    await store.put_runs(tx.conn, [(report(tx, held) if news else held, pause)], tx.now)


async def stop_what_runs(tx: Transaction, runs: Sequence[Run]) -> None:
    """Cancel the operations of runs that are to stop, all at once: one after the other they would be locked in the
    order of the runs, and whoever cancels the same ones locks them by their ids."""
    wishes = [
        (item.operation_id, run.cancel_reason)
        for run in runs
        if run.cancel_reason is not None and (item := run.running) and item.operation_id
    ]
    if wishes:
        await Store(tx.conn).wish_cancels(wishes)
        tx.queued = True


async def _begin(tx: Transaction, leases: Leases, held: Held, item: Item) -> tuple[Run, timedelta]:
    """The run with its next operation begun, or with why it is not; and how long it may rest."""
    if item.cause:  # of one that somebody asked for: it only ends
        return await _refuse(tx, held, item, item.cause)
    request = await _request(tx, held, item)
    if isinstance(request, Cause):
        return held.run.with_item(replace(item, state="left", cause=request)), SOON
    ((facts, taken),) = await take(None, leases, tx, [request], chained=False)
    if isinstance(taken, Operation):
        await store.mark_operations(tx.conn, {taken.id: held.run.id})
        begun = replace(item, state="running", operation_id=taken.id, to_version=taken.to_version)
        return held.run.with_item(replace(begun, from_version=taken.from_version)), LATER
    if {fault.code for fault in taken} == {"site_busy"}:
        return held.run, LATER
    return await _refused(tx, held, item, request, facts, taken)


async def _refused(
    tx: Transaction, held: Held, item: Item, request: Request, facts: Facts, faults: Sequence[Fault]
) -> tuple[Run, timedelta]:
    cause = Cause(code=faults[0].code, message="; ".join(fault.message for fault in faults)[:2_000])
    if item.request:
        return await _refuse(tx, held, item, cause, operation_of(request, facts))
    state: ItemState = "left" if cause.code in GOOD else "failed"
    return held.run.with_item(replace(item, state=state, cause=cause)), SOON


async def _refuse(
    tx: Transaction, held: Held, item: Item, cause: Cause, operation: Operation | None = None
) -> tuple[Run, timedelta]:
    """End an operation that was accepted: a runner takes it up and tells why it never began."""
    operation = replace(operation or _of_item(held, item), run_id=held.run.id)
    if not await store.refuse_operation(tx.conn, operation, cause, tx.now):
        return held.run.with_item(replace(item, cause=cause)), LATER  # its site is taken just now
    tx.queued = True
    return held.run.with_item(replace(item, state="running", cause=None)), LATER


def _of_item(held: Held, item: Item) -> Operation:
    seconds, origin = held.origin.timeout_seconds or HOUR, held.origin
    what = (item.operation_id or "", held.run.site, item.app, OperationKind(item.kind), None, item.to_version)
    return Operation(*what, seconds, origin.strategy_id, origin.correlation_id, origin.actor)


async def _request(tx: Transaction, held: Held, item: Item) -> Request | Cause:
    """What is asked for now: what somebody did, or the newest release that is allowed at this moment."""
    origin = held.origin
    if item.request:
        data = RequestOperation.model_validate(item.request)
        return _part_of(held, item.operation_id or "", data)
    version = item.to_version
    if item.kind == "update" and version is None:
        choice = await _choice(tx, held, item)
        if choice.release is None:
            return _why_not(item, choice)
        version = choice.release.version
    data = RequestOperation(
        site=held.run.site,
        app=item.app,
        kind=OperationKind(item.kind),
        version=version,
        timeout_seconds=origin.timeout_seconds,
        strategy_id=origin.strategy_id,
    )
    return _part_of(held, f"{held.run.id}.{item.position}", data)


def _part_of(held: Held, identifier: str, data: RequestOperation) -> Request:
    origin = held.origin
    return Request(identifier, data, origin.correlation_id, origin.actor, run_id=held.run.id)


async def _choice(tx: Transaction, held: Held, item: Item) -> Choice:
    site = held.run.site
    ((there, _),) = await Store(tx.conn).grounds([(site, item.app)])
    around = (await dependencies.surroundings(tx.conn, [site])).get(site, Surroundings())
    releases = (await dependencies.releases_of(tx.conn, [item.app])).get(item.app, [])
    present = around.apps.get(item.app)
    wish = Wish(site, frozenset(there.connections), around, held.origin.prereleases)
    return newest(releases, present.version if present else None, wish)


def _why_not(item: Item, choice: Choice) -> Cause:
    if choice.why:
        return choice.why[0]
    return Cause(code="no_newer_release", message=f"there is no newer release of {item.app} than the one that runs")
