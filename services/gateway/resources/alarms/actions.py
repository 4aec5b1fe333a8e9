"""What people may do with alarms, and when."""

from collections.abc import Mapping

from services.gateway.commands.action import Action, always
from services.gateway.resources.alarms import store
from shared.messages.strategy import ClearAlarm, RaiseAlarm
from shared.process.db import Connection


async def _raised(conn: Connection, commands: Mapping[str, RaiseAlarm]) -> set[str]:
    known = await store.known_alarms(conn, [(command.site, command.alarm) for command in commands.values()])
    return {command_id for command_id, command in commands.items() if (command.site, command.alarm) in known}


async def _cleared(conn: Connection, commands: Mapping[str, ClearAlarm]) -> set[str]:
    known = await store.known_alarms(conn, [(command.site, command.alarm) for command in commands.values()])
    return {command_id for command_id, command in commands.items() if (command.site, command.alarm) not in known}


def _named(command: RaiseAlarm | ClearAlarm) -> str:
    return f"{command.alarm} of {command.site}"


RAISE = Action("raise", RaiseAlarm, readable=_raised, about=_named)
CLEAR = Action("clear", ClearAlarm, when=always, readable=_cleared, about=_named)

ACTIONS = (RAISE, CLEAR)
