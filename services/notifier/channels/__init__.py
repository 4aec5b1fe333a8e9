"""Channels: ways by which a notification reaches people. One file each, registered by name."""

from collections.abc import Mapping
from typing import Protocol

from services.notifier.domain import Attempt, DeliveryRequest


class Channel(Protocol):
    """One way to deliver. Called for many deliveries at once; keeps nothing between calls."""

    async def deliver(self, request: DeliveryRequest) -> Attempt:
        """Try once, within bounded time. Never raises for what the target does wrong: that is an outcome.

        A delivery may come again after a crash, with the same notification id: what it leads to must be recognisable
        as the same by whoever receives it.
        """
        ...


Channels = Mapping[str, Channel]
"""Channels by the name that a subscription has them under."""
