"""A figure of `make bench` that only makes sense at a size that takes long, seen to work at a small one."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e

ASKED = ("endurance", "--rounds", "2", "--sites", "40")


def test_endurance_tells_the_cost_of_both_ends_and_what_grew() -> None:
    done = subprocess.run((sys.executable, "-m", "tests.bench", *ASKED), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "CPU of a step, last 1 of 2 roll-outs of 40 sites against the first" in done.stdout
    for name in ("Kafka's log", "journal of the devices", "all tables", "deployer.operation", "gateway.event_log"):
        start, middle, end = sizes(done.stdout, name)
        assert 0 < start <= middle <= end, name


def sizes(told: str, name: str) -> list[int]:
    """KiB at the start, in the middle and at the end, from the table of sizes."""
    row = next(line for line in told.splitlines() if re.match(rf"│ {re.escape(name)} +│", line))
    return [int(cell.replace(",", "")) for cell in row.split("│")[2:-1]]
