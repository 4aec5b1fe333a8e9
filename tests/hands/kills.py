"""`make faults DRIVERS=ansible,helm,container`: deployers are killed at random while real tools work for them.

Two deployers carry out roll-outs to and fro between two releases, on sites of each driver, all the time. So many times
one of them is killed in the middle of it (SIGKILL). Afterwards each roll-out must have succeeded, every site must run
what its last one brought, and the things themselves must remember nothing that was done twice for one operation, and
hold nothing that nobody took away; and nothing that is kept, told or run may show the value of a secret.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psutil
from rich.console import Console

from shared.embedded import postgres, process
from shared.process.provision import DATABASE
from tests.hands.fleet import Fleet
from tests.hands.hand import GOOD, Hand
from tests.hands.secrecy import in_processes, told, words_of
from tests.hands.table import HANDS, chosen, opened
from tests.support.patience import stretched
from tests.support.reaping import reaped
from tests.support.system import System, running

DEPLOYERS = ("deployer-1", "deployer-2")
QUICK = {"BELAY_LEASE_SECONDS": "2"}
"""The work of a dead process is taken over soon."""
SETTLE_SECONDS = 60
UNDER_WAY = "select count(*) from deployer.driver_order where taken and result is null"
console = Console(width=None if sys.stdout.isatty() else 120)


@dataclass
class Report:
    """What the campaign was like."""

    kills: int = 0
    in_the_middle: int = 0
    """Of them while a tool had orders in its hands."""
    rounds: int = 0
    operations: list[dict[str, Any]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    """Values of secrets that processes showed."""
    wrong: list[str] = field(default_factory=list)


@dataclass
class Killer:
    """Kills one deployer after the other, as long as there are kills left, in a thread of its own."""

    system: System
    dice: random.Random
    kills: int
    longest: float
    words: Sequence[str]
    """Of secrets, which no process may show."""
    report: Report
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until so many were killed, or `over` is set."""
        while self.report.kills < self.kills and not self.over.wait(self._pause()):
            busy = asyncio.run(self._orders())
            self.report.seen |= set(in_processes(self.words))
            if self._kill(self.dice.choice(DEPLOYERS)):
                self.report.kills += 1
                self.report.in_the_middle += bool(busy)
        self.over.set()

    def _pause(self) -> float:
        """Where all takes longer, deployers have longer: killed while they start, again and again, nothing is tried."""
        return self.dice.uniform(0.02, stretched(self.longest))

    async def _orders(self) -> int:
        """How many are in the hands of a tool."""
        conn = await asyncpg.connect(
            urlsplit(postgres.admin_dsn(self.system.home))._replace(path=f"/{DATABASE}").geturl()
        )
        try:
            return int(await conn.fetchval(UNDER_WAY))
        finally:
            await conn.close()

    def _kill(self, name: str) -> bool:
        try:
            process.recorded(self.system.home)[name].kill()
        except (KeyError, psutil.NoSuchProcess):  # it is not back yet
            return False
        return True


def main() -> None:
    """Exit status 0 when everything held."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--drivers", default=",".join(HANDS), help="of which drivers, separated by commas")
    parser.add_argument("--ssh", action="store_true", help="ansible reaches its hosts by SSH: needs root and sshd")
    parser.add_argument("--kills", type=int, default=200, help="kill so many deployers")
    parser.add_argument("--sites", type=int, default=4, help="sites of each driver")
    parser.add_argument("--seed", type=int, default=1, help="of the dice that say when and whom")
    parser.add_argument("--longest", type=float, default=3.0, help="most seconds of a quiet machine between two kills")
    parser.add_argument("--logs", type=Path, help="copy the logs of all processes to this folder")
    asked = parser.parse_args()
    kinds = chosen(asked.drivers, ssh=asked.ssh)
    with tempfile.TemporaryDirectory(prefix="belay-hands-") as folder, reaped(Path(folder)), ExitStack() as closing:
        hands = opened(kinds, Path(folder), closing)
        report = campaign(hands, Path(folder) / "home", asked)
    show(report)
    sys.exit(1 if report.wrong else 0)


def campaign(hands: Sequence[Hand], home: Path, asked: argparse.Namespace) -> Report:
    """Play it, and look at what is left."""
    report = Report()
    environment = QUICK | {name: value for hand in hands for name, value in hand.environment.items()}
    with running(home, deployers=len(DEPLOYERS), **environment) as system, system.client() as client:
        fleet = Fleet(client, system.home, hands, asked.sites)
        fleet.register()
        for hand in hands:
            for version in GOOD:
                fleet.publish(hand, version)
        _round(fleet, "apply", GOOD[0], report)
        words = words_of(value for hand in hands for value in hand.secrets.values())
        killer = Killer(system, random.Random(asked.seed), asked.kills, asked.longest, words, report)  # noqa: S311
        thread = threading.Thread(target=killer.run, daemon=True)
        thread.start()
        try:
            version = _to_and_fro(fleet, killer, report)
        finally:
            killer.over.set()
            thread.join()
        report.wrong += _looked_at(fleet, version, report)
        report.wrong += [*sorted(report.seen), *told(system.home, words)]
        if asked.logs:
            shutil.copytree(system.home.logs, asked.logs, dirs_exist_ok=True)
    return report


def _to_and_fro(fleet: Fleet, killer: Killer, report: Report) -> str:
    """Forward and back, until the killer has done; the version that all must run."""
    version = GOOD[0]
    while not killer.over.is_set() and not report.wrong:
        kind, version = ("update", GOOD[1]) if version == GOOD[0] else ("rollback", GOOD[0])
        _round(fleet, kind, version, report)
        console.print(f"{report.rounds} rounds, {report.kills} kills, {report.in_the_middle} in the middle of work")
    return version


def _round(fleet: Fleet, kind: str, version: str, report: Report) -> None:
    """One roll-out for each driver, side by side."""
    begun = {hand.driver: fleet.roll_out(hand, kind, version) for hand in fleet.hands}
    report.rounds += 1
    for driver, identifier in begun.items():
        strategy = fleet.end(identifier)
        operations = fleet.operations(identifier)
        report.operations += operations
        if strategy["state"] != "complete":
            causes = [f"{o['site']}: {o['cause']}" for o in operations if o["state"] == "failed"]
            report.wrong.append(f"{driver}: {kind} to {version} is {strategy['state']}: {'; '.join(causes)}")


def _looked_at(fleet: Fleet, version: str, report: Report) -> list[str]:
    wrong = []
    for hand in fleet.hands:
        found = {site: hand.runs(site) for site in hand.names(fleet.count)}
        wrong += [f"{site} runs {now}, not {version}" for site, now in found.items() if now != version]
        wrong += [f"{hand.driver}: {each}" for each in hand.doubled(report.operations)]
        wrong += [f"{hand.driver}: {each}" for each in _left_behind(hand, fleet)]
    return wrong


def _left_behind(hand: Hand, fleet: Fleet) -> list[str]:
    """What is there still after a while: a deployer that begins clears away what the one before left."""
    until = time.monotonic() + stretched(SETTLE_SECONDS)
    told: list[str] = []
    while (left := hand.left_behind(fleet.home.root, hand.names(fleet.count))) and time.monotonic() < until:
        if left != told:
            console.print(f"{hand.driver}: still there: {'; '.join(left)}")
        told = left
        time.sleep(0.5)
    return left


def show(report: Report) -> None:
    """For people."""
    done = len(report.operations)
    console.print(
        f"{report.kills} deployers were killed, {report.in_the_middle} of them while tools were at work; "
        f"{report.rounds} roll-outs of {done} operations"
    )
    for each in report.wrong:
        console.print(f"WRONG  {each}")
    console.print(
        f"{len(report.wrong)} faults" if report.wrong else "nothing was done twice, left behind, or told that is secret"
    )


if __name__ == "__main__":
    main()
