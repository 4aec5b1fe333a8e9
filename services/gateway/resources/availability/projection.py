"""Whether sites answer, as the deployer says; of those that do, when they last did."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.availability import store
from shared.messages.deployer import AvailabilityChanged, SiteAvailability, SitesChecked
from shared.wire.codec import Envelope


async def learn_availability(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """What is said last of a site counts, in whatever order it comes."""
    last: dict[str, tuple[int, SiteAvailability]] = {}
    checked: dict[int, datetime] = {}
    for event in (envelope.data for envelope in events):
        if isinstance(event, SitesChecked):
            checked[event.bucket] = max(event.at, checked.get(event.bucket, event.at))
            continue
        for site in event.sites:
            if site.site not in last or last[site.site][1].nth < site.nth:
                last[site.site] = (event.bucket, site)
    if last:
        await store.put_availability(tx.conn, list(last.values()))
    if checked:
        await store.put_checks(tx.conn, checked)


KINDS = (AvailabilityChanged, SitesChecked)
