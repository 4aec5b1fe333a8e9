"""The log channel: one structured line a notification."""

import structlog

from services.notifier.domain import Attempt, DeliveryRequest, Result

log = structlog.get_logger()


class LogChannel:
    """Writes to this replica's own log."""

    async def deliver(self, request: DeliveryRequest) -> Attempt:
        """Always succeeds."""
        facts = {"topic": str(request.topic), "about": request.about, "notification_id": request.notification_id}
        log.info(request.message, action="notification", **facts)
        return Attempt(Result.DELIVERED)
