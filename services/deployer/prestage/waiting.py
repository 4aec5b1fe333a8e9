"""What operations that wait for a preparation need from time to time: an end when theirs is due, and to be told of."""

import asyncio
from datetime import timedelta
from functools import partial

from services.deployer.phases import Phase
from services.deployer.prestage.store import PrestageStore, Waiting
from shared.core.retrying import until_done
from shared.core.transaction import Ledger, Transaction
from shared.messages.deployer import OperationProgressed
from shared.messages.words import OperationKind

LOOK_SECONDS = 1.0
TOLD_AT_ONCE = 1_000


async def look_after(ledger: Ledger) -> None:
    """Until cancelled."""
    while True:
        await until_done(partial(_look, ledger), "operations that wait are looked after later", "waiting_retry")
        await asyncio.sleep(LOOK_SECONDS)


async def _look(ledger: Ledger) -> None:
    async with ledger.transaction() as tx:
        store = PrestageStore(tx.conn)
        tx.queued |= bool(await store.free_overdue(tx.now))
        before = tx.now - timedelta(seconds=LOOK_SECONDS)
        for waiting in await store.tell_waiting(before, TOLD_AT_ONCE):
            _tell(tx, waiting)


def _tell(tx: Transaction, waiting: Waiting) -> None:
    event = OperationProgressed(
        operation_id=waiting.id,
        site=waiting.site,
        app=waiting.app,
        kind=OperationKind.PRESTAGE,
        phase=Phase.PREPARE,
        percent=0,
        strategy_id=waiting.strategy_id,
    )
    tx.emit(event, sequence=waiting.sequence, correlation_id=waiting.correlation_id, actor=waiting.actor)
