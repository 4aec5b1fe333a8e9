"""`belay audit`: who did what, when, and what came of it."""

from itertools import islice
from typing import Annotated

import typer

from services.gateway.cli.noun import Noun
from services.gateway.cli.screen import Column
from services.gateway.cli.session import Session

app = Noun("Audit: every command, who sent it, when, and how it was answered.")

COLUMNS: tuple[Column, ...] = ("at", "actor", "role", "action", "target", "result", ("command", "command_id"))


@app.verb("list")
def list_commands(session: Session, limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100) -> None:
    """Commands, the newest first."""
    session.screen.table(islice(session.pages("/v1/audit"), limit), COLUMNS, "no command yet")
