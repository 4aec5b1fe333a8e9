"""`belay secret`: what connections of sites name instead of saying it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.errors import usage
from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session, at

app = Noun(
    "Secrets: passwords and keys that connections of sites name.",
    epilog='A connection names one as the value of any key: {"password": {"secret": "NAME"}}',
)

COLUMNS: tuple[Column, ...] = ("name", "version", ("set", "set_at"), ("by", "set_by"), "sites")

Name = Annotated[str, typer.Argument(help="Its name.")]


@app.verb("list")
def list_secrets(session: Session) -> None:
    """Every secret and how many sites name it; never a value."""
    session.screen.table(session.pages("/v1/secrets"), COLUMNS, "no secret: `belay secret set`")


@app.verb("set")
def set_secret(
    session: Session,
    name: Name,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take it from this file, to its last byte.", show_default=False)
    ] = None,
) -> None:
    """Keep a secret, or replace it: from a file, from stdin, or asked for without showing it.

    There is no option for the value itself: every user of the machine could read it there. Of stdin one line end is
    left out, which `echo` adds. Operations that run keep the value they were begun with.
    """
    answer = session.command("PUT", at("/v1/secrets/{}", name), {"value": _value(name, file)})
    version = answer["result"].get("version")
    session.screen.done(f"secret {name} is set" + (f", version {version}" if version else ""), answer)


def _value(name: str, file: Path | None) -> str:
    if file:
        return _text(_read(file), str(file))
    if _at_a_terminal():
        asked: str = typer.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True, err=True)
        return asked
    text = _text(sys.stdin.buffer.read(), "stdin")
    return text.removesuffix("\n").removesuffix("\r")


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise usage(f"{file} cannot be read: {error.strerror}") from error


def _text(raw: bytes, where: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        advice = "if its driver wants bytes, give them as base64: `base64 FILE | belay secret set NAME`"
        raise usage(f"what {where} holds is not text in UTF-8", advice) from error


@app.verb()
def remove(session: Session, name: Name) -> None:
    """Forget a secret that no site names; a refusal names those that do."""
    session.screen.done(f"secret {name} is removed", session.command("DELETE", at("/v1/secrets/{}", name)))
