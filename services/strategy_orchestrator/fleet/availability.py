"""The handler of what the deployer says of sites: whether they answer."""

from collections.abc import Sequence

from services.strategy_orchestrator import store
from services.strategy_orchestrator.rollout.site_conditions import sites_changed
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from shared.messages.deployer import AvailabilityChanged, SiteAvailability
from shared.wire.codec import Envelope


async def availability_changed(work: UnitOfWork, batch: Sequence[Envelope[AvailabilityChanged]]) -> None:
    """Note which sites answer; what is said last counts, in whatever order it comes."""
    last: dict[str, SiteAvailability] = {}
    for told in (one for envelope in batch for one in envelope.data.sites):
        if told.site not in last or last[told.site].nth < told.nth:
            last[told.site] = told
    moved = await store.sites.note_availability(work.conn, last.values())
    if names := [site.name for site in moved if site.was != site.now]:
        await sites_changed(work, names)
