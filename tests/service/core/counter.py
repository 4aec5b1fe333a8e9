"""A tiny service that counts, for the tests of the core: each site registered adds one; `poison` breaks its handler."""

from collections.abc import Sequence

from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.strategy import RegisterSites, SitesChanged
from shared.process.service import Service
from shared.wire.codec import Envelope

TABLE = "create table if not exists tally (site text primary key, times integer not null)"
ADD = """insert into tally as t select *, 1 from unnest($1::text[])
         on conflict (site) do update set times = t.times + 1"""


async def register(tx: Transaction, batch: Sequence[Envelope[RegisterSites]]) -> Sequence[Reply]:
    """Count each site once a command."""
    replies: list[Reply] = []
    for envelope in batch:
        names = [site.name for site in envelope.data.sites]
        if "poison" in names:
            raise ValueError("poison")
        if "unwanted" in names:
            replies.append(Rejected.because("unwanted", "this site is not wanted", "sites.0.name", "unwanted"))
            continue
        await tx.conn.execute(ADD, names)
        tx.emit(SitesChanged(sites=envelope.data.sites), cause=envelope)
        replies.append(Accepted({"sites": len(names)}))
    return replies


async def wire(service: Service) -> None:
    """Listen to the orchestrator's commands in its place."""
    await service.pool.execute(TABLE)
    service.handlers = {RegisterSites: register}
    service.topics = ["strategy.commands"]


async def tally(service: Service) -> dict[str, int]:
    """How often each site was counted."""
    return {row["site"]: row["times"] for row in await service.pool.fetch("select site, times from tally")}
