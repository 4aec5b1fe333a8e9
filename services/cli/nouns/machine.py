"""`belay up`, `down`, `status`: all of Belay on this machine."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.errors import CliError, Status, failed, usage
from services.cli.screen import Column, size
from services.cli.session import Session

if TYPE_CHECKING:
    from shared.embedded.home import Home

READY_SECONDS = 90
HOSTS_SECONDS = 120

COLUMNS: tuple[Column, ...] = (
    "name", "state", "pid", ("up for", lambda one: f"{one['uptime']:.0f} s"),
    ("memory", lambda one: size(one["memory"])), "port",
)  # fmt: skip


def up(
    session: Session,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once everything is started.")] = False,
    replicas: Annotated[list[str], typer.Option(metavar="SERVICE=N", help="Run so many of a service.")] = [],  # noqa: B006
    logs: Annotated[bool, typer.Option("--logs", help="Show every line that any process writes.")] = False,
) -> None:
    """Run Kafka, PostgreSQL and every service here until Ctrl-C; says what is ready, then where page and token are.

    Both servers come from packages and keep their data in the home; BELAY_KAFKA and BELAY_POSTGRES_ADMIN name running
    ones to use instead.
    """
    from shared.embedded import __main__ as embedded
    from shared.embedded.home import Home
    from shared.embedded.programs import Wish

    if detach and logs:
        raise usage("--logs needs a command that stays", f"leave --detach out, or look into {session.home / 'logs'}")
    if session.screen.as_json and not detach:
        raise usage("a start that stays is no JSON document", "give --detach too, or leave --json out")
    with starting_trouble():
        wish = Wish.from_environment(dict(_replica(text) for text in replicas))
        home = Home.open(session.home)
        embedded.up(home, wish, detach=detach, logs=logs, quiet=session.screen.as_json)
    if session.screen.as_json:
        session.screen.json({"home": str(home.root)})


def wait_until_ready(session: Session) -> None:
    """Return as soon as the gateway answers and takes our token."""
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            session.get("/v1/me")
            return
        except CliError as error:
            if time.monotonic() > until:
                raise failed(f"the gateway is not ready after {READY_SECONDS} s: {error.message}") from error
            if error.status is not Status.UNREACHABLE:
                raise
            session.forget()
            time.sleep(0.1)


def _replica(text: str) -> tuple[str, int]:
    service, _, count = text.partition("=")
    if not count.isdecimal():
        raise usage(f"--replicas {text}: give SERVICE=NUMBER, such as deployer=2")
    return service, int(count)


@contextmanager
def starting_trouble() -> Iterator[None]:
    """What may be wrong with this machine, as a command's end."""
    from shared.embedded.jars import JarError
    from shared.embedded.stack import StackError

    try:
        yield
    except ValueError as error:
        raise usage(str(error)) from error
    except (StackError, JarError, OSError) as error:
        raise CliError(Status.FAILED, str(error), advice="`belay doctor` looks for the cause", code="stack") from error


def hosts(verb: str, home: "Home") -> None:
    """Stop or start the applications on the sites here. They are the deployer's, so its program does it."""
    from shared.embedded.stack import StackError

    program = (sys.executable, "-m", "services.deployer.drivers.process.hosts", verb, str(home.root))
    done = subprocess.run(program, capture_output=True, text=True, timeout=HOSTS_SECONDS, check=False)  # noqa: S603
    if done.returncode:
        raise StackError(f"the applications on the sites could not be told to {verb}: {done.stderr.strip()}")


def down(
    session: Session,
    sites: Annotated[bool, typer.Option("--sites", help="Also the applications on the sites of this machine.")] = False,
) -> None:
    """Stop every service, Kafka and PostgreSQL. The applications on the sites run on, unless told otherwise."""
    from shared.embedded import stack
    from shared.embedded.home import Home

    with starting_trouble(), session.screen.busy("stopping"):
        stack.stop(Home.open(session.home))
        if sites:
            hosts("stop", Home.open(session.home))
    session.screen.done("nothing of Belay runs", {"running": []})


def status(session: Session) -> None:
    """Every process of this home; exit status 1 unless all of them run."""
    from shared.embedded import stack
    from shared.embedded.home import Home

    found = [asdict(one) for one in stack.statuses(Home.open(session.home))] if session.home.exists() else []
    session.screen.table(found, COLUMNS, f"nothing runs in {session.home}: `belay up`")
    if not found or any(one["state"] != "RUNNING" for one in found):
        raise typer.Exit(Status.FAILED)
