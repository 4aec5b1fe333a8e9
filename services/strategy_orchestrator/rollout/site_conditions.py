"""What follows for steps when their sites are not as they were: offline, in maintenance, unmanaged, or forgotten."""

from collections.abc import Sequence

from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork


async def sites_changed(work: UnitOfWork, names: Sequence[str]) -> None:
    """These sites changed in this transaction, whose rows say already what they are now: other than before are their
    availability, `managed`, `maintenance` or alarms, or they are there no longer."""
