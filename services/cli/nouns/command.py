"""`belay command`: what became of a command."""

from typing import Annotated

import typer

from services.cli.errors import failed
from services.cli.session import Session, at


def command(session: Session, command_id: Annotated[str, typer.Argument(metavar="COMMAND", help="Its id.")]) -> None:
    """What became of a command: sent, accepted or rejected. Exit status 1 if it was rejected."""
    answer = session.get(at("/v1/commands/{}", command_id))
    session.screen.card(answer, ("command_id", "type", "state", "result", "faults", "actor", ("sent", "sent_at")))
    if answer["state"] == "rejected":
        raise failed(f"command {command_id} was rejected")
