"""Folders of runs that no order is found by are cleared away, whatever a killed deployer left of them."""

import os
from pathlib import Path

import pytest

from services.deployer.drivers.ansible.runs import Runs


def run_of(home: Path, name: str, *files: str) -> Path:
    """What was made, or is left, of the folder of a run."""
    root = home / "ansible" / "runs" / name
    root.mkdir(parents=True)
    for file in files:
        (root / file).touch()
    return root


@pytest.mark.parametrize("files", [("attended", "job.json"), ("job.json",), ()])
def test_a_run_that_is_over_goes_however_much_is_left_of_its_folder(tmp_path: Path, files: tuple[str, ...]) -> None:
    old, young = run_of(tmp_path, "old", *files), run_of(tmp_path, "young", *files)
    for path in (*old.iterdir(), old):
        os.utime(path, (1, 1))
    Runs(tmp_path).sweep([], 60)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_run_that_an_order_may_still_be_found_by_stays(tmp_path: Path) -> None:
    old = run_of(tmp_path, "old", "attended")
    os.utime(old / "attended", (1, 1))
    Runs(tmp_path).sweep(["old"], 60)
    assert old.exists()
