"""`python -m shared.embedded up|down|status|clean`: Belay on this machine."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from rich.console import Console
from rich.table import Table

from shared.embedded import postgres, stack
from shared.embedded.follow import Follower
from shared.embedded.home import Home
from shared.embedded.jars import JarError
from shared.embedded.programs import Wish
from shared.embedded.stack import StackError

#: Pauses (s) before a killed supervisor is started again: a loop of deaths must not keep a machine busy.
AGAIN_AFTER = 1.0
COLOURS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green", "bright_yellow")

console = Console(highlight=False, soft_wrap=True)


def up(home: Home, wish: Wish, *, detach: bool) -> int:
    """Run until Ctrl-C or `down`, showing one stream of log lines; detached: return once all is started."""
    with stack.alone(home):
        if detach:
            return up_detached(home, wish)
        stack.refuse_detached(home)
        with Follower(home.logs, show):
            return run_attached(home, wish)


def up_detached(home: Home, wish: Wish) -> int:
    if not stack.is_detached(home):
        stack.start(home, wish, say, detached=True)
    say(f"runs on its own; logs in {home.logs}")
    return 0


def run_attached(home: Home, wish: Wish) -> int:
    # A polite kill means the same as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # 0: it was asked to stop, by `down`.
        while stack.start(home, wish, say).wait() != 0:
            say("the supervisor was killed: starting everything again")
            time.sleep(AGAIN_AFTER)
    except KeyboardInterrupt:
        say("stopping: services, then Kafka, then PostgreSQL")
    finally:
        # Impatience must not leave half of it running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stack.stop(home)
    return 0


def down(home: Home) -> int:
    stack.stop(home)
    say("nothing runs")
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


def say(line: str) -> None:
    show("belay", line)


def show(name: str, line: str) -> None:
    colour = COLOURS[sum(name.encode()) % len(COLOURS)]
    console.print(f"[{colour}]{name:>22} |[/] ", end="")
    console.out(line, highlight=False)


def replica(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    if not count.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: give SERVICE=NUMBER, such as deployer=2")
    return name, int(count)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m shared.embedded", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    starting = verbs.add_parser("up", help="start everything and show its log until Ctrl-C")
    starting.add_argument("--detach", action="store_true", help="return once everything is started")
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
            return up(home, Wish.from_environment(dict(chosen.replicas)), detach=chosen.detach)
        return {"down": down, "status": status, "clean": clean}[chosen.verb](home)
    except (StackError, JarError, ValueError) as error:
        sys.stderr.write(f"belay: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
