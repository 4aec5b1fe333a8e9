"""What is wished for is begun as ordinary operations: few at once over the fleet, none for a while after a failure.

A wish is judged by what is so when its turn comes, in the transaction that begins its operation: switched off, cleared
or done by somebody else meanwhile, it goes.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from services.deployer.automatic import survey_store as store
from services.deployer.automatic.deciding import Action, backoff, decided, goes_first
from services.deployer.automatic.survey import Surveyed, survey
from services.deployer.domain import AUTOMATIC, Operation
from services.deployer.engine.leases import Leases
from services.deployer.handlers import Taken, take
from services.deployer.judging import Request
from services.deployer.settings import DeployerSettings
from shared.core.retrying import until_done
from shared.core.transaction import Ledger, Transaction
from shared.messages.deployer import AutomaticRequested, RequestOperation
from shared.messages.rules import Rules
from shared.wire.codec import new_id

LOOK_SECONDS = 0.5
BUSY_LATER = timedelta(seconds=15)
"""Who is held, busy or in maintenance is looked at again after so long."""

WAITS = frozenset({"site_busy", "site_held"})


class Begun(NamedTuple):
    """A wish with what is done about it, and the request that asks for it."""

    surveyed: Surveyed
    action: Action
    request: Request


async def fulfil(ledger: Ledger, leases: Leases, own: DeployerSettings) -> None:
    """Until cancelled."""
    while True:
        await until_done(partial(_look, ledger, leases, own), "what goes by itself goes later", "automatic_retry")
        await asyncio.sleep(LOOK_SECONDS)


async def _look(ledger: Ledger, leases: Leases, own: DeployerSettings) -> None:
    async with ledger.pool.acquire() as conn:
        if not await store.any_wish_due(conn):
            return
    async with ledger.transaction() as tx:
        await store.free_lost(tx.conn)
        wishes = {(wish.site, wish.app): wish for wish in await store.claim_wishes(tx.conn, own.automatic_at_once)}
        if not wishes:
            return
        said = await store.apps_looked_at(tx.conn)
        surveyed = await survey(tx.conn, list(wishes), said, own.failed_at)
        actions = [(each, decided(each.situation)) for each in surveyed]
        await _drop(tx, [each for each, action in actions if action is None or each.facts.site is None])
        wanted = [(each, action) for each, action in actions if action and each.facts.site]
        await _put_off(tx, [each for each, _ in wanted if not each.free], own)
        begun = [Begun(each, action, _request(each, action)) for each, action in _one_a_site(wanted)]
        await _begin(tx, leases, begun, {pair: wish.tries for pair, wish in wishes.items()}, own)


def _one_a_site(wanted: Sequence[tuple[Surveyed, Action]]) -> list[tuple[Surveyed, Action]]:
    """Of each site what goes first there; another wish for it has its turn when this one has ended."""
    sites: dict[str, dict[str, tuple[Surveyed, Action]]] = {}
    for each, action in wanted:
        if each.free:
            sites.setdefault(each.pair[0], {})[each.pair[1]] = (each, action)
    return [apps[goes_first({app: _ranked(*one) for app, one in apps.items()})] for apps in sites.values()]


def _ranked(surveyed: Surveyed, action: Action) -> tuple[Action, Rules]:
    """What is done, and what the release says that it leads to."""
    chosen = surveyed.situation.chosen.release
    return action, chosen.rules if chosen and chosen.version == action.version else surveyed.rules


async def _drop(tx: Transaction, idle: Sequence[Surveyed]) -> None:
    if idle:
        await store.drop_wishes(tx.conn, [each.pair for each in idle])


async def _put_off(tx: Transaction, busy: Sequence[Surveyed], own: DeployerSettings) -> None:
    if busy:
        await store.put_off(tx.conn, [(*each.pair, BUSY_LATER, 0) for each in busy], own.automatic_tries)


def _request(surveyed: Surveyed, action: Action) -> Request:
    site, app = surveyed.pair
    data = RequestOperation(
        site=site, app=app, kind=action.kind, version=action.version, only_changes=action.only_changes
    )
    identifier = new_id()
    return Request(identifier, data, identifier, AUTOMATIC)


async def _begin(
    tx: Transaction,
    leases: Leases,
    begun: Sequence[Begun],
    tries: dict[store.Pair, int],
    own: DeployerSettings,
) -> None:
    if not begun:
        return
    taken = [t for _, t in await take(None, leases, tx, [each.request for each in begun])]
    started = [(each, t) for each, t in zip(begun, taken, strict=True) if isinstance(t, Operation)]
    await store.begin_wishes(tx.conn, [(*each.surveyed.pair, operation.id) for each, operation in started])
    for each, operation in started:
        _tell(tx, each.action, operation)
    refused = [(each, t) for each, t in zip(begun, taken, strict=True) if not isinstance(t, Operation)]
    if refused:
        rows = [_later(each, t, tries[each.surveyed.pair], own) for each, t in refused]
        await store.put_off(tx.conn, rows, own.automatic_tries)


def _later(begun: Begun, faults: Taken, tries: int, own: DeployerSettings) -> tuple[str, str, timedelta, int]:
    codes = {fault.code for fault in faults} if isinstance(faults, tuple) else set()
    if codes and codes <= WAITS:
        return (*begun.surveyed.pair, BUSY_LATER, 0)
    return (*begun.surveyed.pair, backoff(tries + 1, own.automatic_again_seconds), 1)


def _tell(tx: Transaction, action: Action, operation: Operation) -> None:
    event = AutomaticRequested(
        operation_id=operation.id,
        site=operation.site,
        app=operation.app,
        kind=operation.kind,
        version=operation.to_version,
        cause=action.cause,
        at=tx.now,
    )
    tx.emit(event, correlation_id=operation.correlation_id, actor=AUTOMATIC)
