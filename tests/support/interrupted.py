"""Two tests that begin and do not end, for the test of what an interrupted run leaves: named, they are collected."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.support.system import running

READY = "BELAY_TEST_READY"
"""The file to write once everything runs."""
ENDLESS = "import time; time.sleep(600)"


def test_with_processes_of_every_kind(tmp_path: Path, postgres_admin: str) -> None:
    """A child, one that went its own way with our mark, one with a clean environment, and PostgreSQL."""
    subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path)])
    ignoring = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {ENDLESS}"
    subprocess.Popen([sys.executable, "-c", ignoring], start_new_session=True)
    subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path)], env={}, start_new_session=True)
    stay()


def test_with_a_whole_system(tmp_path: Path) -> None:
    with running(tmp_path / "home"):
        stay()


def stay() -> None:
    Path(os.environ[READY]).touch()
    time.sleep(600)
