"""What the catalog says of releases that are to be deleted, and what is answered.

A release that is to go takes no request any more. Some seconds later nothing that was accepted before can still be
unseen; then it is known whether a site or a strategy needs it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from services.deployer.deletion import store
from services.deployer.deletion.strategies import Told, targets_of
from shared.core.gone import first_ends, of_the_living
from shared.core.retrying import until_done
from shared.core.transaction import Ledger, Transaction
from shared.messages.base import Message
from shared.messages.catalog import ReleaseDeleted, ReleaseDeleting
from shared.messages.deployer import ReleaseUseReported
from shared.messages.strategy import StrategyDeleted, StrategyPlanned, StrategyStateChanged
from shared.wire.codec import Envelope

LOOK_SECONDS = 1.0
"""How often it is looked whether something is due."""


async def note_deleting(tx: Transaction, events: Sequence[Envelope[ReleaseDeleting]]) -> None:
    """Close releases to requests; one that is not known here is needed by nobody."""
    asked = [event.data for event in await of_the_living(tx.conn, events)]
    known = await store.note_deleting(tx.conn, asked, tx.now)
    for one in asked:
        if one.deletion not in known:
            about = one.model_dump(include={"deletion", "app", "version", "bundle_sha256"})
            tx.emit(ReleaseUseReported(**about, sites=0))


async def forget_deleted(tx: Transaction, events: Sequence[Envelope[ReleaseDeleted]]) -> None:
    """Nothing of them is matched with what comes later under the same version."""
    if gone := await first_ends(tx.conn, events):
        await store.forget(tx.conn, [event.data for event in gone])


async def note_strategies(tx: Transaction, events: Sequence[Envelope[Told]]) -> None:
    """The releases that strategies lead to are needed until these end."""
    await store.note_strategies(tx.conn, targets_of(event.data for event in events))


async def tell_uses(ledger: Ledger, seconds: float) -> None:
    """Say of each release that is to go whether it is needed, so many seconds after that was asked; for ever."""

    async def tell() -> None:
        async with ledger.transaction() as tx:
            told = await store.uses(tx.conn, tx.now, timedelta(seconds=seconds))
            if told:
                await store.note_told(tx.conn, told)
            for use in told:
                tx.emit(use)

    while True:
        await until_done(tell, "uses are told later", "uses_retry")
        await asyncio.sleep(LOOK_SECONDS)


HANDLERS: dict[type[Message], Callable[[Any, Any], Awaitable[None]]] = {
    ReleaseDeleting: note_deleting,
    ReleaseDeleted: forget_deleted,
    StrategyPlanned: note_strategies,
    StrategyStateChanged: note_strategies,
    StrategyDeleted: note_strategies,
}
