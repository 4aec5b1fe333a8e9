"""A run beside other load tells which tests failed in which round, and leaves nothing computing."""

import subprocess
import sys
from pathlib import Path

import psutil

from tests.support.busy import COMPUTE

ROOT = Path(__file__).parents[3]
FLAKY = """
from pathlib import Path

def test_fails_in_its_second_round():
    rounds = Path(__file__).with_name("rounds")
    rounds.write_text(rounds.read_text() + "." if rounds.exists() else ".")
    assert rounds.read_text() != ".."

def test_holds():
    pass
"""


def busy(folder: Path, rounds: int) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "tests.support.busy", "--cores", "1", "--times", str(rounds), str(folder))
    options = ("-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(folder))
    return subprocess.run((*command, *options), cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_test_that_fails_once_in_two_rounds_is_named(tmp_path: Path) -> None:
    (tmp_path / "test_flaky.py").write_text(FLAKY)
    done = busy(tmp_path, 2)
    assert done.returncode == 1
    assert "failed in 1 of 2: test_flaky::test_fails_in_its_second_round" in done.stdout
    assert "test_holds" not in "".join(line for line in done.stdout.splitlines() if line.startswith("failed"))
    alive = [one.info for one in psutil.process_iter(["cmdline", "ppid"]) if COMPUTE in (one.info["cmdline"] or ())]
    assert [one for one in alive if one["ppid"] == 1] == [], "left behind by who started it"


def test_a_round_that_finds_no_test_are_no_success(tmp_path: Path) -> None:
    done = busy(tmp_path, 1)
    assert done.returncode == 1
    assert "round 1 broke off" in done.stdout
