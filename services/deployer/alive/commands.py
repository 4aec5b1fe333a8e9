"""Somebody wants to know whether a site answers: it is asked as soon as may be, beside all else."""

from collections.abc import Sequence

from services.deployer.alive import store
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.core.wakeup import Wakeup
from shared.messages.deployer import CheckSite
from shared.wire.codec import Envelope


async def check_sites(wanted: Wakeup | None, tx: Transaction, commands: Sequence[Envelope[CheckSite]]) -> list[Reply]:
    """Have sites asked; whoever rings for them is woken once this is kept. `wanted` is None where checks are off."""
    if wanted is None:
        message = "sites are not checked here (BELAY_DEPLOYER_CHECK_SECONDS is 0)"
        return [Rejected.because("checks_off", message, "site", command.data.site) for command in commands]
    there = await store.want_checks(tx.conn, [command.data.site for command in commands], tx.now)
    tx.on_commit(wanted.ring)
    return [_reply(command.data.site, command.data.site in there) for command in commands]


def _reply(site: str, there: bool) -> Reply:
    if there:
        return Accepted({"site": site})
    return Rejected.because("unknown_site", f"there is no site '{site}'", "site", site)
