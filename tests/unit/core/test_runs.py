"""A file knows how each run of a replica ended, whatever ended it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.process.runs import IN_ORDER, UNTOLD, Runs, cause_of, ends_in, path_of, stopped_in_order

PROGRAM = """
import faulthandler, os, signal, sys
from pathlib import Path
from shared.process.runs import Runs
with Runs(Path(sys.argv[1]), "catalog", "1") as runs:
    {}
"""
WAYS = {
    "pass": None,
    "os.kill(os.getpid(), signal.SIGKILL)": UNTOLD,
    "os._exit(3)": UNTOLD,
    "faulthandler._sigsegv()": "Segmentation fault in <module> (<string>:6)",
    "raise ValueError('no such thing')": "ValueError: no such thing (<string>:6)",
    "runs.end(); os._exit(0)": None,
}


@pytest.mark.parametrize("way", WAYS)
def test_the_next_run_knows_how_the_last_one_ended(way: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM.format(way), str(tmp_path)], check=False, capture_output=True)
    runs = Runs(tmp_path, "catalog", "1")
    runs.begin()
    assert runs.before == (WAYS[way] or IN_ORDER)
    assert [end.cause for end in ends_in(path_of(tmp_path, "catalog", "1"))] == [c for c in [WAYS[way]] if c]


def test_where_nothing_is_known_of_an_earlier_run_it_did_not_end_in_order_either(tmp_path: Path) -> None:
    with Runs(tmp_path, "catalog", "1") as first:
        assert first.before is None
    with Runs(tmp_path, "catalog", "1") as second:
        assert second.before == IN_ORDER


def test_a_replica_that_runs_or_died_did_not_stop_in_order(tmp_path: Path) -> None:
    path = path_of(tmp_path, "catalog", "1")
    assert stopped_in_order(path)
    runs = Runs(tmp_path, "catalog", "1")
    runs.begin()
    assert not stopped_in_order(path)
    runs.end()
    assert stopped_in_order(path)


def test_only_the_last_runs_are_kept(tmp_path: Path) -> None:
    for _ in range(30):
        Runs(tmp_path, "catalog", "1").begin()
    assert len(json.loads(path_of(tmp_path, "catalog", "1").read_text())["runs"]) == 20


@pytest.mark.parametrize("content", ["", "{", "[]", '{"runs": [1]}', '{"runs": [{"ended": "x", "cause": "y"}]}'])
def test_a_torn_or_foreign_file_breaks_nothing(content: str, tmp_path: Path) -> None:
    path = path_of(tmp_path, "catalog", "1")
    path.parent.mkdir()
    path.write_text(content)
    assert ends_in(path) == []
    with Runs(tmp_path, "catalog", "1"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_home_that_cannot_be_written_stops_no_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with Runs(tmp_path, "catalog", "1"):
        pass


def test_of_a_group_the_first_cause_is_told() -> None:
    group = ExceptionGroup("unhandled errors in a TaskGroup", [KeyError("partition"), ValueError()])
    assert cause_of(group) == "KeyError: 'partition'"
