"""What the audit says of a command in one line: whom or what it is about, in words that people look for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.messages.base import Command
from shared.messages.catalog import WithdrawRelease
from shared.messages.deployer import CancelOperation, RequestOperation
from shared.messages.strategy import ChangeSites, RegisterSites, RemoveSites, Selection

NAMES_SHOWN = 3
LONGEST = 400
"""Characters: the audit is kept for years, and one line is enough to find the command by."""


def about(command: Command) -> str:
    """The names that a command speaks of: those of its kind, or its `name`, or its aggregate."""
    say = ABOUT.get(type(command), _name)
    return say(command)[:LONGEST]


def _name(command: Any) -> str:
    return str(getattr(command, "name", "") or command.subject)


def _selected(selection: Selection) -> str:
    """`groups north and labels region=eu`: what a selection asks for."""
    labels = [f"{key}={value}" for key, value in selection.labels.items()]
    parts = {"groups": selection.groups, "labels": labels, "": selection.sites}
    found = [f"{kind} {_some(values)}".strip() for kind, values in parts.items() if values]
    return " and ".join(found) or "the whole fleet"


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    shown = ", ".join(names[:NAMES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


ABOUT: Mapping[type[Command], Callable[[Any], str]] = {
    WithdrawRelease: lambda c: f"{c.app} {c.version}",
    RequestOperation: lambda c: f"{c.app} on {c.site}",
    CancelOperation: lambda c: f"{c.operation_id} on {c.site}",
    RegisterSites: lambda c: _some([site.name for site in c.sites]),
    RemoveSites: lambda c: _some(c.names),
    ChangeSites: lambda c: _selected(c.selection),
}
"""Commands whose subject alone says too little."""
