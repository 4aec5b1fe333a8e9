"""What people may do with operations, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action
from shared.messages.deployer import CancelOperation, RequestOperation

UNFINISHED = ("queued", "running")


def _unfinished(operation: Mapping[str, Any]) -> bool:
    return operation["state"] in UNFINISHED


REQUEST = Action("request", RequestOperation)
CANCEL = Action("cancel", CancelOperation, when=_unfinished)

ACTIONS = (REQUEST, CANCEL)
