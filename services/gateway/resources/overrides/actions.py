"""What people may do with overrides."""

from services.gateway.commands.action import Action, always
from shared.messages.deployer import ClearOverrides, RestoreOverrides, SetOverrides
from shared.messages.overrides import AtALevel


def _where(command: AtALevel) -> str:
    """The audit says of which component, and for whom."""
    return f"{command.app}/{command.component} of {command.level}" + (f" {command.target}" if command.target else "")


SET = Action("set", SetOverrides, when=always, about=_where)
RESTORE = Action("restore", RestoreOverrides, when=always, about=_where)
CLEAR = Action("clear", ClearOverrides, when=always, about=_where)

ACTIONS = (SET, RESTORE, CLEAR)
