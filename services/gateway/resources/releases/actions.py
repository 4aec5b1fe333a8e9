"""What people may do with releases, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action, always
from shared.messages.catalog import DeleteRelease, PrepareRelease, WithdrawRelease


def _available(release: Mapping[str, Any]) -> bool:
    return bool(release["state"] == "available")


def _about(command: WithdrawRelease | PrepareRelease | DeleteRelease) -> str:
    return f"{command.app} {command.version}"


def _unprepared(release: Mapping[str, Any]) -> bool:
    preparation = release["preparation"]
    return _available(release) and (preparation is None or preparation["state"] == "failed")


WITHDRAW = Action("withdraw", WithdrawRelease, when=_available, about=_about)

PREPARE = Action("prepare", PrepareRelease, when=_unprepared, about=_about)

DELETE = Action("delete", DeleteRelease, when=always, about=_about)

ACTIONS = (PREPARE, WITHDRAW, DELETE)
