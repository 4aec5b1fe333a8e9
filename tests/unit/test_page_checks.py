"""The page's JavaScript is checked where there is Node.js; where there is none that is said, and under CI it fails."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("bash", "dirname", "env")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder of programs for a machine without Node.js."""
    for name in NEEDED:
        (tmp_path / name).symlink_to(shutil.which(name) or pytest.fail(f"there is no {name} here"))
    return tmp_path


def check(what: str, programs: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it as `make` does."""
    cleared = {name: value for name, value in os.environ.items() if name != "CI"}
    given = cleared | {"PATH": str(programs)} | environment
    return subprocess.run(
        [ROOT / ".ci/page/run", what], env=given, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("what", ["lint", "test", "format", "axe"])
def test_without_node_the_page_is_left_out_and_the_reason_is_said(what: str, bare: Path) -> None:
    ran = check(what, bare)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"left out: {what} of the page's JavaScript: there is no node;")
    assert "apt install npm" in ran.stdout


@pytest.mark.parametrize("what", ["lint", "test", "axe"])
def test_under_ci_a_machine_without_node_fails(what: str, bare: Path) -> None:
    ran = check(what, bare, CI="true")
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"cannot {what} the page's JavaScript: there is no node;")


def test_a_node_that_is_too_old_is_as_good_as_none(bare: Path) -> None:
    for name, says in (("node", "case $1 in -p) echo 18 ;; *) echo v18.20.0 ;; esac"), ("npm", "exit 9")):
        (bare / name).write_text(f"#!/usr/bin/env bash\n{says}\n")
        (bare / name).chmod(0o755)
    assert "node is only v18.20.0" in check("lint", bare).stdout
    assert check("lint", bare, CI="1").returncode == 1
