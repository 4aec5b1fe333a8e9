"""What people may do with subscriptions, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action, always
from services.gateway.resources.subscriptions import store
from shared.messages.notifier import (
    AddSubscription,
    EnableSubscription,
    RedeliverNotifications,
    RemoveSubscription,
    SendTestNotification,
)
from shared.process.db import Connection


async def _added(conn: Connection, commands: Mapping[str, AddSubscription]) -> set[str]:
    known = await store.known_subscriptions(conn, [command.name for command in commands.values()])
    return {command_id for command_id, command in commands.items() if command.name in known}


def _dead(subscription: Mapping[str, Any]) -> bool:
    return bool(subscription["state"] == "dead")


ADD = Action("add", AddSubscription, readable=_added)
REMOVE = Action("remove", RemoveSubscription, when=always)
ENABLE = Action("enable", EnableSubscription, when=_dead)
TEST = Action("test", SendTestNotification, when=always)
REDELIVER = Action("redeliver", RedeliverNotifications, when=always)

ACTIONS = (ADD, REMOVE, ENABLE, TEST, REDELIVER)
