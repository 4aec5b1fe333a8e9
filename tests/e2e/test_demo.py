"""The demo as a user runs it, while services, Kafka and PostgreSQL are killed under it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from services.cli.nouns.machine import hosts
from shared.embedded import postgres, process, stack
from shared.embedded.home import Home
from tests.support.running import Running
from tests.support.runtime import JARS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(0)]  # it waits for progress: see Running

WHEELS = JARS.with_name("wheels")
"""Kept between runs, as the jars are."""

VICTIMS = {
    "datasette 0.64.8 is available": "catalog-1",
    "demo-1-upgrade applying": "gateway-1",
    "stage quarter running: 0/3": "deployer-1",
    "demo-1-broken-exit applying": "kafka",
    "demo-1-broken-version applying": "strategy_orchestrator-1",
    "stage half running: 0/6": "postgres",
}
"""What the demo says in the middle of its work, and what is killed at that moment."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    WHEELS.mkdir(parents=True, exist_ok=True)
    home = Home.open(tmp_path / "home", os.environ.get("BELAY_JARS") or JARS)
    (home.root / "wheels").symlink_to(WHEELS, target_is_directory=True)
    yield home
    hosts("stop", home)
    stack.stop(home)
    postgres.remove(home)


def test_the_demo_ends_right_whatever_is_killed_and_leaves_no_process(home: Home) -> None:
    demo, killed = run_demo(home), []
    for line in demo:
        for sign, victim in VICTIMS.items():
            if sign in line and victim not in killed:
                process.recorded(home)[victim].kill()
                killed.append(victim)
    assert demo.status == 0, demo.tail()
    assert sorted(killed) == sorted(VICTIMS.values())
    assert "All 12 sites are where they must be" in "".join(demo.said)
    assert "What to try next" in demo.tail()
    assert left_running(home) == []


def run_demo(home: Home) -> Running:
    environment = {**os.environ, "BELAY_HOME": str(home.root), "BELAY_JARS": str(home.jars), "ONCE": "1"}
    return Running([sys.executable, "-c", "from services.cli import main; main()", "demo"], environment)


def left_running(home: Home) -> list[str]:
    """Every process that was started for this home: it stands in the command line of each."""
    found = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    return [command for command in found if str(home.root) in command]
