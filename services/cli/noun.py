"""The frame of every command: its common options, its session, and how it ends."""

import functools
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]

from services.cli.errors import CliError, Status
from services.cli.help import Command, Group

Verb = TypeVar("Verb", bound=Callable[..., None])

AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout, nothing else.", rich_help_panel="Everywhere")
]
Url = Annotated[
    str,
    typer.Option("--url", envvar="BELAY_URL", metavar="URL", help="The gateway; default: that of the home.",
                 show_default=False, rich_help_panel="Everywhere"),
]  # fmt: skip
Token = Annotated[
    str,
    typer.Option("--token", envvar="BELAY_TOKEN", metavar="TOKEN", help="Default: <home>/admin.token.",
                 show_default=False, show_envvar=True, rich_help_panel="Everywhere"),
]  # fmt: skip
Home = Annotated[
    Path,
    typer.Option("--home", envvar="BELAY_HOME", metavar="FOLDER", help="Where Belay keeps its things.",
                 rich_help_panel="Everywhere"),
]  # fmt: skip

COMMON = (
    inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson),
    inspect.Parameter("url", inspect.Parameter.KEYWORD_ONLY, default="", annotation=Url),
    inspect.Parameter("token", inspect.Parameter.KEYWORD_ONLY, default="", annotation=Token),
    inspect.Parameter("home", inspect.Parameter.KEYWORD_ONLY, default=Path(".belay"), annotation=Home),
)


class Noun(typer.Typer):
    """A group of commands. A function under `@noun.verb()` takes the session first, then its own parameters."""

    def __init__(self, help: str, epilog: str = "", kind: type[Group] = Group) -> None:  # noqa: A002  Typer's name for it
        own: dict[str, Any] = {
            "cls": kind,
            "rich_markup_mode": None,
            "add_completion": False,
            "pretty_exceptions_enable": False,
        }
        super().__init__(help=help, epilog=epilog, no_args_is_help=True, **own)

    def verb(self, name: str | None = None, **options: Any) -> Callable[[Verb], Verb]:
        """Make a function a command of this noun, under its own name or another."""

        def register(function: Verb) -> Verb:
            self.command(name, cls=Command, **options)(with_session(function))
            return function

        return register


def with_session(function: Callable[..., None]) -> Callable[..., None]:
    """The function with the common options in place of its session."""

    @functools.wraps(function)
    def run(*, as_json: bool, url: str, token: str, home: Path, **own: Any) -> None:
        from services.cli.screen import Screen  # no help text waits for these
        from services.cli.session import Session

        session = Session(Screen(as_json=as_json), url=url, token=token, home=home)
        try:
            function(session, **own)
        except CliError as error:
            session.screen.error(error)
            raise typer.Exit(int(error.status)) from error
        finally:
            session.close()

    _, *own = inspect.signature(function).parameters.values()
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    run.__signature__ = inspect.Signature([*parameters, *COMMON])  # type: ignore[attr-defined]
    return run


def run_app(app: typer.Typer) -> None:
    """Run the command line of this process; always ends it, and never with a traceback."""
    if "_BELAY_COMPLETE" in os.environ:  # a shell asks; Typer by itself is ready for that at every start
        completion_init()
    try:
        app(prog_name="belay")
    except BrokenPipeError:
        _close_quietly()
    except Exception as error:  # noqa: BLE001  the last line of defence: a user gets a sentence, not our inside
        if os.environ.get("BELAY_DEBUG"):
            traceback.print_exc()
        sys.stderr.write(
            f"belay: a defect of Belay: {type(error).__name__}: {error}\n"
            "  → run it again with BELAY_DEBUG=1 and report what it prints\n"
        )
        sys.exit(Status.DEFECT)


def _close_quietly() -> None:
    """The reader has gone, as `head` does. Python's own flush at exit must not complain of it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(Status.FAILED)
