"""`belay group`: named sets of sites."""

from typing import Annotated

import typer

from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session, at

app = Noun("Groups: named sets of sites with limits of their own.")

COLUMNS: tuple[Column, ...] = (
    "name",
    "sites",
    ("apply type", "apply_type"),
    ("max parallel", "max_parallel"),
    "description",
)

Name = Annotated[str, typer.Argument(help="The group.")]
Description = Annotated[str | None, typer.Option(help="For people.")]
MaxParallel = Annotated[
    str | None,
    typer.Option(
        metavar="LIMIT",
        help="Of its sites so many change at once, in all strategies: 1 to 5000 or a per cent; default: 100%.",
    ),
]
Serial = Annotated[bool | None, typer.Option("--serial/--parallel", help="One site after another, or several at once.")]


@app.verb("list")
def list_groups(session: Session) -> None:
    """Every group."""
    session.screen.table(session.pages("/v1/groups"), COLUMNS, "no group yet: `belay group create`")


@app.verb()
def create(
    session: Session,
    name: Name,
    description: Description = None,
    max_parallel: MaxParallel = None,
    serial: Serial = None,
) -> None:
    """Make a group."""
    answer = session.command("POST", "/v1/groups", {"name": name} | _given(description, max_parallel, serial))
    session.screen.done(f"group {name} is created", answer)


@app.verb()
def update(
    session: Session,
    name: Name,
    description: Description = None,
    max_parallel: MaxParallel = None,
    serial: Serial = None,
) -> None:
    """Change a group; what is left out stays as it is."""
    answer = session.command("PATCH", at("/v1/groups/{}", name), _given(description, max_parallel, serial))
    session.screen.done(f"group {name} is changed", answer)


@app.verb()
def delete(session: Session, name: Name) -> None:
    """Remove a group that has no sites."""
    answer = session.command("DELETE", at("/v1/groups/{}", name))
    session.screen.done(f"group {name} is deleted", answer)


def _given(description: str | None, max_parallel: str | None, serial: bool | None) -> dict[str, str]:
    apply_type = None if serial is None else "serial" if serial else "parallel"
    values = {"description": description, "max_parallel": max_parallel, "apply_type": apply_type}
    return {name: value for name, value in values.items() if value is not None}
