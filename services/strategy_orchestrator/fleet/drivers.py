"""Which drivers the deployers have, and what people are told of sites that none of these can reach.

A warning and no refusal: the driver may come tomorrow, in a package of somebody else.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from services.strategy_orchestrator import store
from services.strategy_orchestrator.store.drivers import Reported
from shared.core.transaction import Transaction
from shared.messages.deployer import HostReported
from shared.messages.strategy import Site
from shared.process.db import Connection
from shared.wire.codec import Envelope

SILENT_FOR = timedelta(days=3)
"""A host that has said nothing for so long is gone: each says what it has once a day."""

NAMED = 3
"""Sites that a warning names, of those that it is about."""


async def hosts_reported(tx: Transaction, batch: Sequence[Envelope[HostReported]]) -> None:
    """Learn which drivers each deployer's host has: of each the last word counts."""
    await store.drivers.put_hosts(tx.conn, last_words(batch))


def last_words(batch: Sequence[Envelope[HostReported]]) -> list[Reported]:
    """Host, drivers and time, of each host once: of what is told again the older words come behind newer ones."""
    told = sorted(batch, key=lambda envelope: envelope.time)
    return [(e.data.host, e.data.drivers, e.time) for e in {e.data.host: e for e in told}.values()]


async def unknown_drivers(tx: Transaction, sites: Iterable[Site]) -> list[str]:
    """A warning for each driver of these sites that no deployer has; none where one does not say what it has."""
    named: defaultdict[str, list[str]] = defaultdict(list)
    for site in sites:
        for driver in site.connections:
            named[driver].append(site.name)
    known = await _known(tx.conn, tx) if named else None
    return [] if known is None else _warnings(named, known)


async def _known(conn: Connection, tx: Transaction) -> set[str] | None:
    hosts = await store.drivers.hosts(conn, tx.now - SILENT_FOR)
    return {name for names in hosts for name in names} if hosts and all(hosts) else None


def _warnings(named: Mapping[str, Sequence[str]], known: set[str]) -> list[str]:
    return [
        f"no deployer has the driver '{driver}', which is to reach {_told(sites)}; they have {', '.join(sorted(known))}"
        for driver, sites in sorted(named.items())
        if driver not in known
    ]


def _told(sites: Sequence[str]) -> str:
    more = len(sites) - NAMED
    named = ", ".join(sites[:NAMED])
    return f"{named} and {more} more" if more > 0 else named
