"""`belay subscription`: notifications delivered to webhooks."""

import os
from typing import Annotated, Any

import typer

from services.gateway.cli.noun import Noun
from services.gateway.cli.screen import Column
from services.gateway.cli.session import Session, at

app = Noun("Subscriptions: have notifications delivered to a webhook.")

COLUMNS: tuple[Column, ...] = ("name", "url", "topics", "state", "reason")

SECRET = "BELAY_WEBHOOK_SECRET"  # noqa: S105  the name of a variable


@app.verb("list")
def list_subscriptions(session: Session) -> None:
    """Every subscription."""
    session.screen.table(session.pages("/v1/subscriptions"), COLUMNS, "no subscription: `belay subscription add`")


@app.verb()
def add(
    session: Session,
    name: Annotated[str, typer.Argument(help="Its name.")],
    target: Annotated[str, typer.Argument(metavar="WEBHOOK", help="Where to deliver to.")],
    topic: Annotated[list[str], typer.Option(help="Only this topic; may be repeated.")] = [],  # noqa: B006
) -> None:
    """Deliver notifications to a webhook; those without --topic get all topics.

    The key that deliveries are signed with is read from BELAY_WEBHOOK_SECRET, so that no shell history keeps it.
    """
    body: dict[str, Any] = {"name": name, "url": target} | ({"topics": topic} if topic else {})
    if secret := os.environ.get(SECRET):
        body["secret"] = secret
    session.screen.done(f"subscription {name} is added", session.command("POST", "/v1/subscriptions", body))


@app.verb()
def remove(session: Session, name: Annotated[str, typer.Argument(help="Its name.")]) -> None:
    """Stop delivering to a webhook."""
    answer = session.command("DELETE", at("/v1/subscriptions/{}", name))
    session.screen.done(f"subscription {name} is removed", answer)
