"""What people may do with secrets, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action, always
from services.gateway.resources.secrets import store
from shared.messages.deployer import RemoveSecret, SetSecret
from shared.process.db import Connection


async def _known(conn: Connection, commands: Mapping[str, SetSecret]) -> set[str]:
    known = await store.known_secrets(conn, [command.name for command in commands.values()])
    return {command_id for command_id, command in commands.items() if command.name in known}


def _unused(secret: Mapping[str, Any]) -> bool:
    return bool(secret["sites"] == 0)


SET = Action("set", SetSecret, when=always, readable=_known)
REMOVE = Action("remove", RemoveSecret, when=_unused)

ACTIONS = (SET, REMOVE)
