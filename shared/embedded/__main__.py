"""`python -m shared.embedded up|down|status|clean`: Belay on this machine."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.table import Table

from shared.embedded import postgres, stack, staying
from shared.embedded.follow import Follower
from shared.embedded.home import Home
from shared.embedded.jars import JarError
from shared.embedded.programs import Wish
from shared.embedded.stack import StackError
from shared.embedded.telling import Logs, Parts

console = Console(highlight=False, soft_wrap=True)


def up(home: Home, wish: Wish, *, detach: bool, logs: bool = False, quiet: bool = False) -> int:
    """Run until Ctrl-C or `down`; detached: return once everything is ready.

    Shows each part as it gets ready, or with `logs` every line that any process writes, or with `quiet` nothing.
    """
    screen = Console(quiet=True) if quiet else console
    with stack.alone(home):
        if detach:
            return staying.detached(home, wish, Parts(screen))
        stack.refuse_detached(home)
        if not logs:
            return staying.attached(home, wish, Parts(screen))
        teller = Logs(screen)
        with Follower(home.logs, teller.show):
            return staying.attached(home, wish, teller)


def down(home: Home) -> int:
    stack.stop(home)
    console.print("nothing runs")
    return 0


def status(home: Home) -> int:
    """Print every process; 0 if all run, 3 if one does not or nothing runs."""
    found = stack.statuses(home)
    table = Table("process", "state", "pid", "up for", "memory", "port")
    for one in found:
        memory = f"{one.memory / 2**20:.0f} MiB"
        table.add_row(one.name, one.state, str(one.pid or ""), f"{one.uptime:.0f} s", memory, str(one.port or ""))
    console.print(table if found else f"nothing runs in {home.root}")
    return 0 if found and all(one.state == "RUNNING" for one in found) else 3


def clean(home: Home) -> int:
    """Stop what runs, and delete the database files that lie outside the home."""
    stack.stop(home)
    postgres.remove(home)
    postgres.remove_shared()
    return 0


def replica(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    if not count.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: give SERVICE=NUMBER, such as deployer=2")
    return name, int(count)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m shared.embedded", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    starting = verbs.add_parser("up", help="start everything, and run it until Ctrl-C")
    starting.add_argument("--detach", action="store_true", help="return once everything is ready")
    starting.add_argument("--logs", action="store_true", help="show every line that any process writes")
    starting.add_argument("--replicas", action="append", type=replica, default=[], metavar="SERVICE=N")
    verbs.add_parser("down", help="stop everything")
    verbs.add_parser("status", help="show every process")
    verbs.add_parser("clean", help="stop everything and delete the database")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    chosen = parse(arguments)
    home = Home.open()
    try:
        if chosen.verb == "up":
            return up(home, Wish.from_environment(dict(chosen.replicas)), detach=chosen.detach, logs=chosen.logs)
        return {"down": down, "status": status, "clean": clean}[chosen.verb](home)
    except (StackError, JarError, ValueError) as error:
        sys.stderr.write(f"belay: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
