"""What operations that wait need from time to time: to go on, an end when theirs is due, and to be told of."""

import asyncio
from datetime import timedelta
from functools import partial

from services.deployer.phases import Phase
from services.deployer.waiting.publications import go_on
from services.deployer.waiting.store import Waiting, WaitingStore
from shared.core.retrying import until_done
from shared.core.transaction import Ledger, Transaction
from shared.messages.deployer import OperationProgressed

LOOK_SECONDS = 1.0
TOLD_AT_ONCE = 1_000


async def look_after(ledger: Ledger) -> None:
    """Until cancelled."""
    while True:
        await until_done(partial(_look, ledger), "operations that wait are looked after later", "waiting_retry")
        await asyncio.sleep(LOOK_SECONDS)


async def _look(ledger: Ledger) -> None:
    """An end that came while its operation was just being stored was seen by neither: it is found here."""
    async with ledger.transaction() as tx:
        store = WaitingStore(tx.conn)
        await go_on(tx)
        tx.queued |= bool(await store.free_overdue(tx.now))
        before = tx.now - timedelta(seconds=LOOK_SECONDS)
        for waiting in await store.tell_waiting(before, TOLD_AT_ONCE):
            _tell(tx, waiting)


def _tell(tx: Transaction, waiting: Waiting) -> None:
    event = OperationProgressed(
        operation_id=waiting.id,
        site=waiting.site,
        app=waiting.app,
        kind=waiting.kind,
        phase=Phase.UPLOAD if waiting.publication else Phase.PREPARE,
        percent=0,
        strategy_id=waiting.strategy_id,
        publication=waiting.publication,
    )
    tx.emit(event, sequence=waiting.sequence, correlation_id=waiting.correlation_id, actor=waiting.actor)
