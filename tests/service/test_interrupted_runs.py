"""A test run that is interrupted, or killed, leaves nothing running."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.patience import until
from tests.support.reaper import VARIABLE

pytestmark = [pytest.mark.service, pytest.mark.long]

ROOT = Path(__file__).parents[2]
VICTIM = "tests/support/interrupted.py"
LEAKY = """
import subprocess, sys

left = []

def test_leaks():
    endless = [sys.executable, "-c", "import time; time.sleep(600)"]
    left.append(subprocess.Popen(endless, start_new_session=True))
"""
PYTEST = (sys.executable, "-m", "pytest", "-q")


@contextmanager
def run(folder: Path, *command: str) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    """A test run in a process group of its own, as under a terminal, once its test has begun; and what it started."""
    ready, temporary = folder / "ready", Path(tempfile.mkdtemp(prefix="run-"))  # short: sockets lie below
    environment = {**os.environ, "BELAY_TEST_READY": str(ready), "TMPDIR": str(temporary), "PYTEST_ADDOPTS": ""}
    with (folder / "said").open("wb") as said:
        started = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said, start_new_session=True)
    try:
        until(lambda: ready.exists() or started.poll() is not None, 240)
        assert started.poll() is None, (folder / "said").read_text()
        yield started, [one for one in psutil.process_iter() if is_of(one, temporary) and one.pid != started.pid]
    finally:
        started.kill()
        started.wait()
        shutil.rmtree(temporary, ignore_errors=True)


def is_of(process: psutil.Process, folder: Path) -> bool:
    """Its folder for temporary things is that of the run, or stands in its command line."""
    try:
        return str(folder) in " ".join((*process.cmdline(), process.environ().get("TMPDIR", "")))
    except psutil.Error:
        return False


def alive(processes: list[psutil.Process]) -> list[str]:
    return [" ".join(one.cmdline()) for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGINT, ("-n", "1")), (signal.SIGKILL, ("-n", "1")), (signal.SIGHUP, ())],
    ids=["Ctrl-C", "a kill of the controller", "a closed terminal, without workers"],
)
def test_nothing_runs_seconds_after(tmp_path: Path, number: signal.Signals, workers: tuple[str, ...]) -> None:
    with run(tmp_path, *PYTEST, *workers, f"{VICTIM}::test_with_processes_of_every_kind") as (controller, left):
        assert len(left) > 4
        if number == signal.SIGKILL:
            controller.kill()  # it alone: nobody tells its children
        else:
            os.killpg(controller.pid, number)  # as a terminal does
        controller.wait(60)
        until(lambda: not alive(left), 20)


def test_ctrl_c_at_make_test_leaves_nothing_of_a_whole_system(tmp_path: Path) -> None:
    command = ("make", "--no-print-directory", "test", "WORKERS=1", f"ARGS={VICTIM}::test_with_a_whole_system")
    with run(tmp_path, *command) as (make, left):
        assert len(left) > 10
        os.killpg(make.pid, signal.SIGINT)
        make.wait(60)
        until(lambda: not alive(left), 30)


def test_a_run_that_ends_by_itself_tells_what_its_tests_left(tmp_path: Path) -> None:
    leaky = tmp_path / "test_leaky.py"
    leaky.write_text(LEAKY)
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    options = ("-c", str(ROOT / "pyproject.toml"), "-p", "tests.support.reaping", "-p", "no:cacheprovider")
    command = (*PYTEST, *options, str(leaky))
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "left running by the test run, ended now: python" in done.stderr
