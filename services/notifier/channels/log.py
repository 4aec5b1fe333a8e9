"""The log channel: one structured line a notification."""

import structlog

from services.notifier.domain import Outcome, Parcel, Result

log = structlog.get_logger()


class LogChannel:
    """Writes to this replica's own log."""

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Always succeeds."""
        facts = {"topic": str(parcel.topic), "about": parcel.about, "notification_id": parcel.notification_id}
        log.info(parcel.message, action="notification", **facts)
        return Outcome(Result.DELIVERED)
