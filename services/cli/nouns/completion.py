"""`belay completion`: what makes a shell complete our commands."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from services.cli.session import Session


class Shell(StrEnum):
    """Shells whose scripts there are."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(session: Session, shell: Annotated[Shell, typer.Argument(help="The shell.")]) -> None:
    """Print the completion script of a shell; for bash: eval "$(belay completion bash)"."""
    script = get_completion_script(prog_name="belay", complete_var="_BELAY_COMPLETE", shell=shell.value)
    if session.screen.as_json:
        session.screen.json({"shell": shell.value, "script": script})
    else:
        session.screen.note(Text(script))
