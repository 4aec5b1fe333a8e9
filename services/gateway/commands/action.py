"""What people may do, as a table: the command that does it, the role that it needs, and when it makes sense."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.gateway.commands.about import name_or_subject
from services.gateway.commands.read_your_writes import Readable
from services.gateway.domain import Role
from shared.messages.base import Command


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that people may do."""

    name: str
    command: type[Command]
    role: Role = Role.OPERATOR
    when: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether a resource, as its row is now, lets it be done; None = it is about none that is there yet."""

    readable: Readable | None = None
    """How to find out that what it created can be read."""

    about: Callable[[Any], str] = name_or_subject
    """What the audit says that a command is about, where its subject alone says too little."""


def allowed(actions: Iterable[Action], row: Mapping[str, Any], role: Role) -> list[str]:
    """Names of what this role may do with a resource as it is now."""
    return [action.name for action in actions if action.when and role.may(action.role) and action.when(row)]


def with_actions(row: Any, actions: Iterable[Action], role: Role) -> dict[str, Any]:
    """A row of the database with its `actions`, as the API shows it."""
    shown = dict(row)
    return {**shown, "actions": allowed(actions, shown, role)}


def always(_: Mapping[str, Any]) -> bool:
    """For what can be done in every state."""
    return True
