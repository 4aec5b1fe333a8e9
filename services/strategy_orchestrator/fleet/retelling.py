"""All sites are told once more, for services that passed a part of what was said by. A migration sets the timer."""

from collections.abc import Sequence

from services.strategy_orchestrator import store
from services.strategy_orchestrator.fleet.changes import emit_fleet
from services.strategy_orchestrator.message_parts import parts_of_sites
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from shared.core.transaction import Timer
from shared.messages.strategy import SitesChanged

TELL_SITES = "tell_sites"
AT_ONCE = 500
"""Sites of one transaction: others change the fleet in between."""


async def tell_sites(work: UnitOfWork, timers: Sequence[Timer]) -> None:
    """Tell the next sites by name. Nobody changes them until these words are numbered: none comes after a newer one."""
    for timer in timers:
        sites = await store.sites.sites_after(work.conn, timer.payload.get("after", ""), AT_ONCE)
        emit_fleet(work, [(SitesChanged(sites=part), "") for part in parts_of_sites(sites)])
        if len(sites) == AT_ONCE:
            work.set_timer(TELL_SITES, timer.key, work.now, after=sites[-1].name)
