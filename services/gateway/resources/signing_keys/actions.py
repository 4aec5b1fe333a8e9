"""What admins may do with keys that sign bundles."""

from services.gateway.commands.action import Action, always
from services.gateway.domain import Role
from shared.messages.catalog import RemoveSigningKey, SetSigningKey


def _about(command: SetSigningKey | RemoveSigningKey) -> str:
    return f"{command.app} {command.name}"


SET = Action("set", SetSigningKey, Role.ADMIN, when=always, about=_about)
REMOVE = Action("remove", RemoveSigningKey, Role.ADMIN, when=always, about=_about)

ACTIONS = (SET, REMOVE)
