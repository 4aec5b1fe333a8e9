"""What starts is waited for as long as it gets anywhere, and what ended is told with the last that it wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from shared.embedded.home import Home
from shared.embedded.starting import Ends, Progress, worked
from tests.support.patience import until


def one(pid: int, state: str = "RUNNING") -> list[dict[str, Any]]:
    return [{"name": "catalog-1", "pid": pid, "statename": state}]


def test_only_what_has_not_moved_for_long_is_given_up() -> None:
    progress = Progress(patience=1.0)
    progress.note({"catalog-1": ("has not begun to listen yet", 1)})
    until(lambda: progress.stalled)
    progress.note({"catalog-1": ("has not begun to listen yet", 1)})
    assert progress.stalled, "the same once more is no progress"
    progress.note({"catalog-1": ("has not begun to listen yet", 2)})
    assert not progress.stalled


def test_a_process_that_computes_has_worked_more_and_one_that_is_gone_not_at_all() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        until(lambda: worked(busy.pid) >= 1)
        busy.kill()
    assert worked(busy.pid) == 0


def test_what_ended_is_told_once_with_its_last_lines_and_seldom_in_a_loop(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    (home.logs / "catalog-1.log").write_text("starting\n\n" + "".join(f"line {n}\n" for n in range(9)) + "no disk\n")
    ends = Ends(home)
    assert list(ends.look(one(7))) == []
    told = [line for _, line in ends.look(one(0, "BACKOFF"))]
    assert told[0] == f"catalog-1 ended and is started again; its log: {home.logs / 'catalog-1'}.log"
    assert told[1:] == [*(f"    line {n}" for n in range(5, 9)), "    no disk"]
    assert list(ends.look(one(0, "BACKOFF"))) == list(ends.look(one(8))) == []
    assert "(2 times by now)" in next(iter(ends.look(one(9))))[1], "also where only the next one is seen"
    assert list(ends.look(one(10))) == []
    assert list(ends.look(one(0, "STOPPED"))) == [], "it was told to"
