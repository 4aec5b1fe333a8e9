"""What people may do with subscriptions, and when."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.gateway.commands.action import Action, always
from services.gateway.resources.subscriptions import store
from shared.messages.notifier import (
    AddSubscription,
    DeliveryState,
    EnableSubscription,
    RedeliverNotifications,
    RemoveSubscription,
    SendTestNotification,
)
from shared.process.db import Connection

ENDED = frozenset({DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.DROPPED})


async def _added(conn: Connection, commands: Mapping[str, AddSubscription]) -> set[str]:
    known = await store.known_subscriptions(conn, [command.name for command in commands.values()])
    return {command_id for command_id, command in commands.items() if command.name in known}


def _dead(subscription: Mapping[str, Any]) -> bool:
    return bool(subscription["state"] == "dead")


def _alive(subscription: Mapping[str, Any]) -> bool:
    return not _dead(subscription)


def _over(delivery: Mapping[str, Any]) -> bool:
    """Whether it can be delivered again: it is under way no more, and no test call."""
    return delivery["notification_id"] is not None and delivery["state"] in ENDED


ADD = Action("add", AddSubscription, readable=_added)
REMOVE = Action("remove", RemoveSubscription, when=always)
ENABLE = Action("enable", EnableSubscription, when=_dead)
TEST = Action("test", SendTestNotification, when=always)
REDELIVER = Action("redeliver", RedeliverNotifications, when=_alive)

ACTIONS = (ADD, REMOVE, ENABLE, TEST, REDELIVER)

OF_DELIVERY = (replace(REDELIVER, when=_over),)
"""What can be done with a single delivery, by the command of its subscription."""
