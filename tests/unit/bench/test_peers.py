"""Peers: what is told of them, and what their packages are taken from."""

import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench import peer_environments, report
from tests.bench.pace import Pace
from tests.bench.peer_environments import PEERS, lacks_node
from tests.bench.race import lines
from tests.bench.result import Result, as_json
from tests.bench.summary import Line

LIBRARIES = {"dbos": [Pace(50, 20_000), Pace(100, 10_000)], "procrastinate": [Pace(60, 17_000), Pace(60, 17_000)]}


def test_belay_is_held_against_the_fastest_peer_of_each_round() -> None:
    paces = {"belay": [Pace(3_000, 400), Pace(3_000, 400)], **LIBRARIES, "restate, node SDK": [Pace(600, 1_500)] * 2}
    fastest, libraries, *_ = lines(paces)
    assert fastest.values == (5, 5)
    assert libraries.values == (50, 30)


def test_without_restate_the_fastest_peer_is_a_library() -> None:
    fastest, libraries, *_ = lines({"belay": [Pace(3_000, 400)] * 2, **LIBRARIES})
    assert fastest.values == libraries.values == (50, 30)


def test_a_peer_that_can_not_run_here_stands_in_the_table_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    reason = lacks_node()
    assert reason is not None
    found = as_json(Result((Line("rate", "sites/s", (1,)),), left_out={"restate": reason}))
    console = Console(record=True, width=160)
    report.show(console, {"figures": {"peers": found}})
    assert "restate: left out, it needs Node.js 20 or newer with npm" in console.export_text()


def test_every_package_of_the_peers_is_pinned_by_its_digest_and_none_names_where_it_comes_from() -> None:
    for lock in PEERS.glob("*/requirements.lock"):
        assert "://" not in lock.read_text()
        blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
        assert all("==" in block and "--hash=sha256:" in block for block in blocks)
    for lock in PEERS.glob("*/package-lock.json"):
        packages = json.loads(lock.read_text())["packages"]
        assert not [name for name, one in packages.items() if name and ("integrity" not in one or "resolved" in one)]


def test_an_environment_is_made_anew_only_when_its_lock_is_another_one(tmp_path: Path) -> None:
    lock, made = tmp_path / "lock", []
    (folder := tmp_path / "environment").mkdir()
    for content in ("one", "one", "two"):
        lock.write_text(content)
        peer_environments._made(folder, lock, lambda: made.append(lock.read_text()))
    assert made == ["one", "two"]
