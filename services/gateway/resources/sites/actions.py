"""What people may do with sites, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.action import Action, always
from services.gateway.resources.sites import store
from shared.messages.strategy import ChangeSites, RegisterSites, RemoveSites
from shared.process.db import Connection


async def _registered(conn: Connection, commands: Mapping[str, RegisterSites]) -> set[str]:
    wanted = {command_id: {site.name for site in command.sites} for command_id, command in commands.items()}
    known = await store.known_sites(conn, sorted(set().union(*wanted.values())))
    return {command_id for command_id, names in wanted.items() if names <= known}


def _free(site: Mapping[str, Any]) -> bool:
    return site["held_by"] is None


REGISTER = Action("register", RegisterSites, readable=_registered)
CHANGE = Action("change", ChangeSites, when=always)
REMOVE = Action("remove", RemoveSites, when=_free)

ACTIONS = (REGISTER, CHANGE, REMOVE)
