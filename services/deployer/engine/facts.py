"""What others must know of this deployer and of its sites, beside how operations end: facts of low rate."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from services.deployer.store import Store
from shared.bundle import this_host
from shared.core.retrying import until_done
from shared.core.transaction import Ledger
from shared.messages.deployer import DeployerKeyReported, HostReported
from shared.sealing import KeyPair

REPORT_SECONDS = 24 * 3600
"""So that who hears nothing for some days knows that this host is gone."""


async def report_host(ledger: Ledger, instance: str, drivers: Sequence[str]) -> None:
    """Say which drivers are here, and what the process driver can install: now, and once a day until cancelled."""
    found = this_host(instance)
    about = {"environment": dict(found.environment), "abis": found.abis, "platforms": found.platforms}
    event = HostReported(host=instance, drivers=tuple(drivers), **about)

    async def report() -> None:
        async with ledger.transaction() as tx:
            tx.emit(event)

    await _repeat(report, REPORT_SECONDS)


async def report_key(ledger: Ledger, keys: KeyPair) -> None:
    """Say what secrets for us are sealed to: now, and once a day until cancelled."""

    async def report() -> None:
        async with ledger.transaction() as tx:
            tx.emit(DeployerKeyReported(key_id=keys.id, public_key=keys.public))

    await _repeat(report, REPORT_SECONDS)


async def tell_unneeded(ledger: Ledger, seconds: float) -> None:
    """Say of each withdrawn release, once, that no site could go back to it any more; until cancelled."""

    async def tell() -> None:
        async with ledger.transaction() as tx:
            for event in await Store(tx.conn).mark_unneeded(timedelta(seconds=seconds)):
                tx.emit(event)

    await _repeat(tell, seconds)


async def _repeat(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        await until_done(work, "facts are told later", "facts_retry")
        await asyncio.sleep(seconds)
