"""What people may do with operations, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action
from shared.messages.deployer import CancelOperation, RequestOperation
from shared.messages.words import OperationKind

UNFINISHED = ("queued", "running")
UNTOUCHED = (None, "precheck", "fetch")
"""Phases in which nothing of the site was changed yet."""


def _stoppable(operation: Mapping[str, Any]) -> bool:
    """A recovery that is at its site comes to its end."""
    untouched = operation["kind"] != OperationKind.RECOVER or operation["phase"] in UNTOUCHED
    return operation["state"] in UNFINISHED and untouched


def _asked(command: RequestOperation) -> str:
    return f"{command.app} on {command.site}"


def _cancelled(command: CancelOperation) -> str:
    return f"{command.operation_id} on {command.site}"


REQUEST = Action("request", RequestOperation, about=_asked)
CANCEL = Action("cancel", CancelOperation, when=_stoppable, about=_cancelled)

ACTIONS = (REQUEST, CANCEL)
