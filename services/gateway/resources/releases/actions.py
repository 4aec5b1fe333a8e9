"""What people may do with releases, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action
from shared.messages.catalog import WithdrawRelease


def _available(release: Mapping[str, Any]) -> bool:
    return bool(release["state"] == "available")


def _about(command: WithdrawRelease) -> str:
    return f"{command.app} {command.version}"


WITHDRAW = Action("withdraw", WithdrawRelease, when=_available, about=_about)

ACTIONS = (WITHDRAW,)
