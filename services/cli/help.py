"""Help texts: plain, a section for each kind of option and command.

Typer's own way with boxes takes longer to import than everything else that a help text needs together.
"""

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

WIDTH = 120
Context = Any
Formatter = Any
"""Of click, which Typer keeps to itself."""


def write_options(command: Any, context: Context, formatter: Formatter) -> None:
    """Arguments, the command's own options, and those in panels, each below its heading."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
            sections.setdefault(parameter.rich_help_panel or kind, []).append(record)
    _write(formatter, sections.items())


def write_commands(group: TyperGroup, context: Context, formatter: Formatter) -> None:
    """Commands with their summaries, those in panels last."""
    sections: dict[str, list[tuple[str, str]]] = {"Commands": []}
    for name in group.list_commands(context):
        command: Any = group.get_command(context, name)
        if not command.hidden:
            summary = command.get_short_help_str(WIDTH)
            sections.setdefault(command.rich_help_panel or "Commands", []).append((name, summary))
    _write(formatter, sections.items())


def _write(formatter: Formatter, sections: Iterable[tuple[str, list[tuple[str, str]]]]) -> None:
    for heading, rows in sections:
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)


class Command(TyperCommand):
    """A command with this help."""

    def format_options(self, ctx: Context, formatter: Formatter) -> None:
        """As click asks for it."""
        write_options(self, ctx, formatter)


class Group(TyperGroup):
    """A group of commands with this help."""

    def get_help_option(self, ctx: Context) -> Any:
        """With a default: Typer asks pydantic what None means, which is slower to import than all of Typer."""
        if option := super().get_help_option(ctx):
            option.default = False
        return option

    def format_options(self, ctx: Context, formatter: Formatter) -> None:
        """As click asks for it."""
        write_options(self, ctx, formatter)
        write_commands(self, ctx, formatter)
