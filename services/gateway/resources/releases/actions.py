"""What people may do with releases, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action
from shared.messages.catalog import WithdrawRelease


def _available(release: Mapping[str, Any]) -> bool:
    return bool(release["state"] == "available")


WITHDRAW = Action("withdraw", WithdrawRelease, when=_available)

ACTIONS = (WITHDRAW,)
