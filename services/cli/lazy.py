"""Commands that are imported when they are called: what one needs (Kafka, PostgreSQL, the demo) no other waits for.

A help text shows only names and summaries, which stand in the table of commands; completion and calls import the one
that they are about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from typer import main

from services.cli.help import Command, Group
from services.cli.noun import Noun


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command is: `module:name` of a Noun, or of a function that becomes a command of the root."""

    place: str
    summary: str
    panel: str | None = None

    def shown(self, name: str) -> Command:
        """A stand-in, as good as the command itself where it is only listed."""
        return Command(name, help=self.summary, rich_help_panel=self.panel)

    def loaded(self, name: str) -> Any:
        """The command itself."""
        module, _, attribute = self.place.partition(":")
        found = getattr(import_module(f"services.cli.{module}"), attribute)
        if not isinstance(found, Noun):
            alone = Noun("")
            alone.verb(name)(found)
            return main.get_group(alone).commands[name]
        group = main.get_group(found)
        group.name = name
        return group


def lazy_group(table: Mapping[str, Lazy]) -> type[Group]:
    """The kind of a group that has these commands."""

    class LazyGroup(Group):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**{**attributes, "commands": {name: lazy.shown(name) for name, lazy in table.items()}})

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            """The command that is called or completed."""
            name, command, rest = super().resolve_command(ctx, args)
            return name, table[name].loaded(name) if name else command, rest

    return LazyGroup
