"""What was found of sites is kept where it is news, and told in the same transaction."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

import asyncpg

from services.deployer.alive import store
from services.deployer.alive.judgement import Condition, is_news
from services.deployer.alive.store import Checked, Found
from services.deployer.automatic.noting import found_changed, note, online_again
from shared.core.retrying import until_done
from shared.core.transaction import Ledger, Transaction
from shared.messages.deployer import SITES_AT_ONCE, AvailabilityChanged, SiteAvailability
from shared.messages.words import Availability

TOLD_BYTES = 500_000
"""Of the sites in one message: what 500 sites say of themselves may be more than a topic takes."""


async def keep_and_tell(
    ledger: Ledger, found: Sequence[tuple[Checked, Condition]], at: datetime, *, retell: bool = False
) -> None:
    """Keep and tell what is news; nothing is written where nothing is, and nothing was asked out of turn.

    `retell`: all of them are told, for those who never heard of them.
    """
    news = [(site, now) for site, now in found if retell or site.wanted or is_news(site.known, now)]
    asked = [site for site, _ in found if site.ask_at is not None]
    if not news and not asked:
        return
    async with ledger.transaction() as tx:
        if news:
            kept = await store.save_conditions(tx.conn, news)
            told = [(s.site, kept[s.site].was, now.availability) for s, now in news if s.site in kept]
            found_now = [(s.site, s.known.facts, now.facts) for s, now in news if s.site in kept]
            await note(tx, [*online_again(told), *found_changed(found_now)])
            _tell(tx, [(s.bucket, _told(s, now, kept[s.site], at)) for s, now in news if s.site in kept], at)
        if asked:
            await store.clear_asked(tx.conn, asked)


def _told(site: Checked, now: Condition, found: Found, at: datetime) -> SiteAvailability:
    return SiteAvailability(
        site=site.site,
        availability=now.availability,
        was=Availability(found.was),
        since=now.since,
        seen_at=now.seen_at,
        checked_at=at,
        cause=now.cause,
        free_bytes=now.free_bytes,
        facts=dict(now.facts),
        nth=found.nth,
    )


def _tell(tx: Transaction, told: Iterable[tuple[int, SiteAvailability]], at: datetime) -> None:
    buckets: dict[int, list[SiteAvailability]] = {}
    for bucket, site in told:
        buckets.setdefault(bucket, []).append(site)
    for bucket, sites in buckets.items():
        for part in _parts(sites):
            tx.emit(AvailabilityChanged.model_construct(bucket=bucket, sites=part, at=at))


def _parts(sites: Sequence[SiteAvailability]) -> Iterator[tuple[SiteAvailability, ...]]:
    """As many together as one message takes."""
    part: list[SiteAvailability] = []
    size = 0
    for site in sites:
        own = len(site.model_dump_json().encode())
        if part and (len(part) == SITES_AT_ONCE or size + own > TOLD_BYTES):
            yield tuple(part)
            part, size = [], 0
        part.append(site)
        size += own
    if part:
        yield tuple(part)


async def no_checks(ledger: Ledger) -> None:
    """Checks are off, so nobody knows whether sites answer: what was known before is told to be unknown."""
    while await until_done(partial(_forget_some, ledger), "sites are unknown later", "check_retry"):
        pass
    await asyncio.Event().wait()


async def _forget_some(ledger: Ledger) -> int:
    async with ledger.transaction() as tx:
        rows = await store.forget_all(tx.conn, SITES_AT_ONCE, tx.now)
        _tell(tx, map(_forgotten, rows), tx.now)
    return len(rows)


def _forgotten(row: asyncpg.Record) -> tuple[int, SiteAvailability]:
    facts: Mapping[str, str] = row["facts"]
    return row["bucket"], SiteAvailability(
        site=row["site"],
        availability=Availability.UNKNOWN,
        since=row["since"],
        seen_at=row["seen_at"],
        free_bytes=row["free_bytes"],
        facts=dict(facts),
        nth=row["nth"],
    )
