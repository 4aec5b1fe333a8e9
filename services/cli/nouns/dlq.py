"""`belay dlq`: messages that could not be handled, kept aside."""

from typing import Annotated, Any

import typer

from services.cli.errors import usage
from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session, at

app = Noun("Dead letters: messages that could not be read or handled; look at them, send them again.")

COLUMNS: tuple[Column, ...] = ("offset", "code", "reason", "key", "origin", "at")

AT_ONCE = 100
"""The most that one request sends again."""

Topic = Annotated[str, typer.Argument(help="The dead-letter topic, as `dlq list` names it.")]
Offsets = Annotated[list[int] | None, typer.Argument(help="Their offsets.")]


@app.verb("list")
def list_topics(session: Session) -> None:
    """Dead-letter topics and how many messages each holds."""
    session.screen.table(session.get("/v1/dlq")["items"], ("topic", "count"), "no dead letter")


@app.verb()
def show(session: Session, topic: Topic, offset: Offsets = None) -> None:
    """Dead letters of a topic; with offsets those in full, with --json byte by byte."""
    found = [session.get(at("/v1/dlq/{}/{}", topic, str(n))) for n in offset] if offset else _letters(session, topic)
    if not offset or session.screen.as_json:
        return session.screen.table(found, COLUMNS, "no such dead letter")
    for letter in found:
        session.screen.card(letter, (*COLUMNS, "headers", "body"))
    return None


def _letters(session: Session, topic: str) -> list[dict[str, Any]]:
    return list(session.pages(at("/v1/dlq/{}", topic)))


@app.verb()
def replay(
    session: Session,
    topic: Topic,
    offsets: Offsets = None,
    every: Annotated[bool, typer.Option("--all", help="Every dead letter of the topic.")] = False,
) -> None:
    """Send dead letters to where they came from again; a command gets a fresh id with the old one as its cause."""
    if not offsets and not every:
        raise usage("name the dead letters to send again", "give their offsets, or --all")
    wanted = offsets or [letter["offset"] for letter in _letters(session, topic)]
    parts = [wanted[start : start + AT_ONCE] for start in range(0, len(wanted), AT_ONCE)]
    path = at("/v1/dlq/{}/replay", topic)
    answers = [session.command("POST", path, {"offsets": part}) for part in parts]
    session.screen.done(f"sent again: {len(wanted)}", answers[0] if len(answers) == 1 else {"answers": answers})
