"""What people may do with operations, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action
from shared.messages.deployer import CancelOperation, RequestOperation

UNFINISHED = ("queued", "running")


def _unfinished(operation: Mapping[str, Any]) -> bool:
    return operation["state"] in UNFINISHED


def _asked(command: RequestOperation) -> str:
    return f"{command.app} on {command.site}"


def _cancelled(command: CancelOperation) -> str:
    return f"{command.operation_id} on {command.site}"


REQUEST = Action("request", RequestOperation, about=_asked)
CANCEL = Action("cancel", CancelOperation, when=_unfinished, about=_cancelled)

ACTIONS = (REQUEST, CANCEL)
