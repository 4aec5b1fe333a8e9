"""What people may do with groups, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action, always
from services.gateway.resources.groups import store
from shared.messages.strategy import CreateGroup, DeleteGroup, UpdateGroup
from shared.process.db import Connection


async def _created(conn: Connection, commands: Mapping[str, CreateGroup]) -> set[str]:
    known = await store.known_groups(conn, sorted({command.name for command in commands.values()}))
    return {command_id for command_id, command in commands.items() if command.name in known}


def _empty(group: Mapping[str, Any]) -> bool:
    return bool(group["sites"] == 0)


CREATE = Action("create", CreateGroup, readable=_created)
UPDATE = Action("update", UpdateGroup, when=always)
DELETE = Action("delete", DeleteGroup, when=_empty)

ACTIONS = (CREATE, UPDATE, DELETE)
