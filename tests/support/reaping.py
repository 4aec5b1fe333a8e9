"""A test run that leaves nothing running: see reaper.py. Workers need nothing of it, for they inherit the mark."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.reaper import VARIABLE


class Reaper:
    """The process that ends what this one leaves."""

    def __init__(self) -> None:
        before, mark = os.environ.get(VARIABLE), uuid.uuid4().hex
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.reaper", mark], cwd=Path(__file__).parents[2], env=environment,
            stdin=subprocess.PIPE, start_new_session=True, text=True,
        )  # fmt: skip
        # A run inside of a test of another run belongs to both.
        os.environ[VARIABLE] = f"{before}:{mark}" if before else mark

    def also(self, folder: Path) -> None:
        """What lies in this folder is ours too."""
        assert self._process.stdin
        self._process.stdin.write(f"{folder}\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """End what is left, and wait for that."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def reaped(*folders: Path) -> Iterator[None]:
    """The same for a program that is no test run: what it starts ends with it, however it ends."""
    reaper = Reaper()
    for folder in folders:
        reaper.also(folder)
    try:
        yield
    finally:
        reaper.end()


HELD = pytest.StashKey[Reaper]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # A script's background job is born deaf to Ctrl-C, and so are its children, which tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        config.stash[HELD] = Reaper()


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    if reaper := session.config.stash.get(HELD, None):
        factory: Any = vars(session.config)["_tmp_path_factory"]  # what `tmp_path` is below
        reaper.also(factory.getbasetemp())


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """After everything else was stopped in order."""
    if reaper := config.stash.get(HELD, None):
        reaper.end()
