"""`belay token`: who may do what."""

from typing import Annotated

import typer

from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session, at

app = Noun("Tokens: let people and programs in, with a role each.")

COLUMNS: tuple[Column, ...] = ("id", "name", "role", ("created", "created_at"), ("last used", "last_used_at"))


@app.verb("list")
def list_tokens(session: Session) -> None:
    """Every token; never its secret."""
    session.screen.table(session.pages("/v1/tokens"), COLUMNS, "no token")


@app.verb()
def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="Whose it is.")],
    role: Annotated[str, typer.Option(help="viewer, operator, approver or admin.")] = "viewer",
) -> None:
    """Make a token. It is shown once, now."""
    made = session.command("POST", "/v1/tokens", {"name": name, "role": role})
    if session.screen.as_json:
        return session.screen.json(made)
    session.screen.note("keep it now, it is not shown again:")
    return session.screen.note(made["token"])


@app.verb()
def revoke(session: Session, token_id: Annotated[str, typer.Argument(metavar="ID", help="Its id.")]) -> None:
    """Make a token worthless."""
    session.command("DELETE", at("/v1/tokens/{}", token_id))
    session.screen.done(f"token {token_id} is revoked", {"id": token_id, "revoked": True})


@app.verb()
def whoami(session: Session) -> None:
    """Name and role of the token in use."""
    session.screen.card(session.get("/v1/me"), ("name", "role"))
