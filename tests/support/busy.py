"""`python -m tests.support.busy [--times 3] [pytest's arguments]`: the tests beside something else that computes.

One process a core only computes, all the time, while the tests run; so many times. Afterwards each test that failed in
any round is named, with the rounds, and those that took longest. Exit status 1 if any failed.

    python -m tests.support.busy                            # what `make test` runs, three times
    python -m tests.support.busy --times 5 tests/e2e -x     # a part
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.reaping import reaped

COMPUTE = "while True: sum(range(10_000))"
SLOWEST = 12


@dataclass
class Found:
    """What the rounds were like."""

    failed: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Rounds by the test that failed in them."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Of each test, in the round in which it took longest."""
    rounds: list[float] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    """Rounds that ended without a report, or badly although no test failed."""


@contextmanager
def load(cores: int) -> Iterator[None]:
    """So many processes that compute; none outlives the block."""
    computing = [subprocess.Popen([sys.executable, "-c", COMPUTE]) for _ in range(cores)]
    try:
        yield
    finally:
        for one in computing:
            one.kill()
        for one in computing:
            one.wait()


def play(found: Found, number: int, arguments: Sequence[str]) -> None:
    """One round; what its report says is added to what was found."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        begun = time.monotonic()
        done = subprocess.run(command(arguments, report), check=False)
        found.rounds.append(time.monotonic() - begun)
        failed = read(found, number, report) if report.exists() else 0
        if done.returncode and not failed:
            found.broken.append(number)


def command(arguments: Sequence[str], report: Path) -> list[str]:
    """What runs the tests: all as everybody runs them, or pytest with these arguments."""
    told = f"--junit-xml={report}"
    return [sys.executable, "-m", "pytest", *arguments, told] if arguments else ["make", "test", f"ARGS={told}"]


def read(found: Found, number: int, report: Path) -> int:
    """How many tests failed or broke."""
    failed = 0
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  pytest wrote it a moment ago
        name = f"{case.get('classname')}::{case.get('name')}"
        found.seconds[name] = max(found.seconds.get(name, 0), float(case.get("time", 0)))
        if case.find("failure") is not None or case.find("error") is not None:
            found.failed[name].append(number)
            failed += 1
    return failed


def summary(found: Found) -> list[str]:
    """What to tell, a line each."""
    times = ", ".join(f"{seconds / 60:.1f}" for seconds in found.rounds)
    slowest = sorted(found.seconds.items(), key=lambda item: -item[1])[:SLOWEST]
    return [
        f"{len(found.rounds)} rounds, minutes each: {times}",
        *(f"round {number} broke off" for number in found.broken),
        *(f"failed in {len(rounds)} of {len(found.rounds)}: {name}" for name, rounds in sorted(found.failed.items())),
        *(f"{seconds:6.1f} s  {name}" for name, seconds in slowest),
    ]


def say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.support.busy", description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="rounds")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="processes that compute")
    chosen, arguments = parser.parse_known_args()
    found = Found()
    with reaped():
        for number in range(1, chosen.times + 1):
            say(f"round {number} of {chosen.times}, beside {chosen.cores} processes that compute")
            with load(chosen.cores):
                play(found, number, arguments)
    say(*summary(found))
    return 1 if found.failed or found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
