"""What people may do with notifications, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action
from shared.messages.notifier import MarkNotificationsRead


def _unread(notification: Mapping[str, Any]) -> bool:
    return not notification["read"]


MARK_READ = Action("mark_read", MarkNotificationsRead, when=_unread)

ACTIONS = (MARK_READ,)
