"""A process is known by pid and birth, never by pid alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shared.embedded import process, supervisor
from shared.embedded.home import Home
from shared.embedded.postgres import drop_stale_lock
from tests.support.patience import until

Sleeper = subprocess.Popen[bytes]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as sleeper:
        yield sleeper
        sleeper.kill()


def test_a_recorded_process_is_found_again(home: Home, sleeper: Sleeper) -> None:
    process.record(home, "some", sleeper.pid)
    assert process.recorded(home)["some"].pid == sleeper.pid


def test_a_process_that_ended_is_not_found(home: Home, sleeper: Sleeper) -> None:
    process.record(home, "some", sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert process.recorded(home) == {}


def test_a_stranger_with_the_pid_of_ours_is_left_alone(home: Home, sleeper: Sleeper) -> None:
    process.record(home, "some", sleeper.pid)
    mark = home.read_json("run/some.pid")
    home.write_json("run/some.pid", {**mark, "born_ms": mark["born_ms"] - 60_000})
    assert process.recorded(home) == {}


def test_a_process_that_does_not_listen_is_killed_after_its_time(home: Home) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"deaf\n"
        process.record(home, "deaf", child.pid)
        process.end(process.recorded(home)["deaf"], signal.SIGTERM, seconds=0.2)
        assert process.recorded(home) == {}


@pytest.mark.parametrize("content", ["1\n/elsewhere\n", "999999999\n", "", "no number\n"])
def test_a_lock_of_postgres_that_belongs_to_nobody_of_ours_is_dropped(tmp_path: Path, content: str) -> None:
    lock = tmp_path / "postmaster.pid"
    lock.write_text(content)
    drop_stale_lock(tmp_path)
    assert not lock.exists()


def test_the_lock_of_a_running_postgres_stays(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "import time; time.sleep(60)", "-D", str(tmp_path)]
    with subprocess.Popen(program) as postmaster:
        until(lambda: str(tmp_path) in psutil.Process(postmaster.pid).cmdline())  # it shows what it is a moment later
        (tmp_path / "postmaster.pid").write_text(f"{postmaster.pid}\n")
        drop_stale_lock(tmp_path)
        postmaster.kill()
    assert (tmp_path / "postmaster.pid").exists()


def test_secrets_are_made_once_and_readable_by_their_owner_alone(home: Home) -> None:
    assert home.secret("postgres") == home.secret("postgres")
    assert (home.secrets / "postgres").stat().st_mode & 0o777 == 0o600
    assert home.root.stat().st_mode & 0o777 == 0o700


def test_a_deep_home_is_found_again_whatever_folder_for_temporary_things_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.open(tmp_path / "deep" / ("x" * 60) / ("y" * 60))
    monkeypatch.setenv("TMPDIR", str(tmp_path / ("z" * 90)))
    sockets = {supervisor._socket(home)}
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    sockets.add(supervisor._socket(home))
    [socket] = sockets
    assert len(os.fsencode(socket)) <= supervisor.LONGEST_SOCKET
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    socket.parent.rmdir()
