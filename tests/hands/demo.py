"""`make demo DRIVERS=ansible,helm,container`: two releases over three sites of each driver, a broken one, and back.

Each driver works on the real thing, set up here for as long as the demo lasts: folders of this machine under
ansible-core, a Kubernetes control plane under Helm, a podman with a registry of its own. After each step the things
themselves are asked what runs.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.hands.fleet import Fleet
from tests.hands.hand import BROKEN, GOOD, Hand
from tests.hands.table import HANDS, chosen, opened
from tests.support.reaping import reaped
from tests.support.system import System, running

SITES = 3
FIRST, SECOND = GOOD
console = Console(width=None if sys.stdout.isatty() else 120)


class Wrong(Exception):
    """It is not as it must be."""


def main() -> None:
    """Exit status 0 only if every site is what it must be."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--drivers", default=",".join(HANDS), help="of which drivers, separated by commas")
    parser.add_argument("--once", action="store_true", default=bool(os.environ.get("ONCE")), help="end when it is done")
    asked = parser.parse_args()
    kinds = chosen(asked.drivers)
    with tempfile.TemporaryDirectory(prefix="belay-demo-") as folder, reaped(Path(folder)), ExitStack() as closing:
        hands = _step("The real things are set up", lambda: opened(kinds, Path(folder), closing))
        environment = {name: value for hand in hands for name, value in hand.environment.items()}
        system = _step(
            "Kafka, PostgreSQL and the services start",
            lambda: closing.enter_context(running(Path(folder) / "home", **environment)),
        )
        try:
            _tell(system, hands, closing)
        except Wrong as wrong:
            sys.exit(f"it is not as it must be: {wrong}")
        if sys.stdout.isatty() and not asked.once:
            _stay(system)


def _step(title: str, work: Callable[[], Any]) -> Any:
    begun = time.monotonic()
    done = work()
    console.print(f"[green]✓[/green] {title}  [dim]{time.monotonic() - begun:.1f} s[/dim]", highlight=False)
    return done


def _tell(system: System, hands: Sequence[Hand], closing: ExitStack) -> None:
    fleet = Fleet(closing.enter_context(system.client()), system.home, hands, SITES)
    names = ", ".join(hand.driver for hand in hands)
    _step(f"{SITES} sites of each driver are registered ({names})", fleet.register)
    for hand in hands:
        _step(f"{hand.app}: {FIRST}, {SECOND} and {BROKEN} are published", lambda hand=hand: _publish(fleet, hand))
    _step(f"{FIRST} is put on every site", lambda: _rolls(fleet, "apply", FIRST))
    _step(f"{SECOND} follows, one site of each driver first", lambda: _rolls(fleet, "update", SECOND))
    for hand in hands:
        sentence = _fall(fleet, hand)
        console.print(f"  {sentence}", highlight=False, markup=False)
    _step(f"The fleet goes back to {FIRST}", lambda: _rolls(fleet, "rollback", FIRST))
    left = [each for hand in hands for each in hand.left_behind(system.home.root, hand.names(SITES))]
    if left:
        raise Wrong("; ".join(left))
    console.print(f"All {SITES * len(hands)} sites run {FIRST}, as they say themselves; nothing was left behind.")


def _publish(fleet: Fleet, hand: Hand) -> None:
    for version in (*GOOD, BROKEN):
        fleet.publish(hand, version)


def _stages(hand: Hand) -> dict[str, Any]:
    return {"stages": [{"name": "canary", "sites": hand.names(1)}, {"name": "rest"}]}


def _rolls(fleet: Fleet, kind: str, version: str) -> None:
    """The same roll-out for each driver, side by side. Raises Wrong."""
    begun = {hand.driver: fleet.roll_out(hand, kind, version, **_stages(hand)) for hand in fleet.hands}
    for hand in fleet.hands:
        strategy = fleet.end(begun[hand.driver])
        if strategy["state"] != "complete":
            causes = [str(o["cause"]) for o in fleet.operations(begun[hand.driver]) if o["cause"]]
            raise Wrong(f"{hand.driver}: {kind} to {version} is {strategy['state']}: {'; '.join(causes)}")
        _must_run(hand, version)


def _must_run(hand: Hand, version: str) -> None:
    found = {site: hand.runs(site) for site in hand.names(SITES)}
    if wrong := {site: now for site, now in found.items() if now != version}:
        raise Wrong(f"not {version} runs on {wrong}")


def _fall(fleet: Fleet, hand: Hand) -> str:
    """The broken release falls on its first site, which is caught; nobody else has noticed anything. Raises Wrong."""
    identifier = fleet.roll_out(hand, "update", BROKEN, **_stages(hand))
    strategy, operations = fleet.end(identifier), fleet.operations(identifier)
    if strategy["state"] != "failed" or [o["recovered"] for o in operations] != [True]:
        raise Wrong(f"{hand.driver}: {BROKEN} is {strategy['state']}, with {operations}")
    _must_run(hand, SECOND)
    return f"{hand.names(1)[0]}: {_why(operations[0])}; it is back on {SECOND}, nobody else was touched"


def _why(operation: Mapping[str, Any]) -> str:
    cause = operation["cause"]
    return f"{BROKEN} fell ({cause['code']}: {cause['message']})"


def _stay(system: System) -> None:
    console.print(
        f"The page: {system.url} (log in with the token in {system.home.root}/admin.token). Ctrl-C ends it all."
    )
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        console.print("stopping everything")


if __name__ == "__main__":
    main()
