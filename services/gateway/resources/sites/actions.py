"""What people may do with sites, and when."""

from collections.abc import Mapping
from typing import Any

from services.gateway.commands.about import some_of
from services.gateway.commands.action import Action, always
from services.gateway.resources.sites import store
from shared.messages.strategy import ChangeSites, RegisterSites, RemoveSites
from shared.process.db import Connection


async def _registered(conn: Connection, commands: Mapping[str, RegisterSites]) -> set[str]:
    wanted = {command_id: {site.name for site in command.sites} for command_id, command in commands.items()}
    known = await store.known_sites(conn, sorted(set().union(*wanted.values())))
    return {command_id for command_id, names in wanted.items() if names <= known}


def _free(site: Mapping[str, Any]) -> bool:
    return site["held_by"] is None and not site["busy"]


def _added(command: RegisterSites) -> str:
    return some_of([site.name for site in command.sites])


def _selected(command: ChangeSites) -> str:
    """`groups north and labels region=eu`: what a selection asks for."""
    selection = command.selection
    labels = [f"{key}={value}" for key, value in selection.labels.items()]
    parts = {"groups": selection.groups, "labels": labels, "": selection.sites}
    found = [f"{kind} {some_of(values)}".strip() for kind, values in parts.items() if values]
    return " and ".join(found) or "the whole fleet"


def _removed(command: RemoveSites) -> str:
    return some_of(command.names)


REGISTER = Action("register", RegisterSites, readable=_registered, about=_added)
CHANGE = Action("change", ChangeSites, when=always, about=_selected)
REMOVE = Action("remove", RemoveSites, when=_free, about=_removed)

ACTIONS = (REGISTER, CHANGE, REMOVE)
