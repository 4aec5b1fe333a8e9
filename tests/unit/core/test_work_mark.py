"""The mark of what is in work outlives the process, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.core.in_flight import HEAD, SIZE, WorkMark, open_mark
from shared.core.suspects import Suspects

PROGRAM = """
import os, signal, sys
from pathlib import Path
from shared.core.in_flight import WorkMark
mark = WorkMark(Path(sys.argv[1]))
with mark.on([("strategy.commands", 0, 17, 18), ("catalog.events", 3, 5, 900)]):
    {}
os.kill(os.getpid(), signal.SIGKILL)
"""
SPANS = [("strategy.commands", 0, 17, 18), ("catalog.events", 3, 5, 900)]


def left_by(way: str, path: Path) -> list[tuple[str, int, int, int]]:
    subprocess.run([sys.executable, "-c", PROGRAM.format(way), str(path)], check=False, capture_output=True)
    return WorkMark(path).take()


@pytest.mark.parametrize("way", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(1)"])
def test_it_says_what_was_in_work_when_the_process_ended(way: str, tmp_path: Path) -> None:
    assert left_by(way, tmp_path / "run" / "a.work") == SPANS
    assert WorkMark(tmp_path / "run" / "a.work").take() == [], "it is taken once"


@pytest.mark.parametrize("way", ["pass", "mark.stop(); os._exit(0)"])
def test_what_was_finished_or_cut_short_by_a_stop_is_not_in_it(way: str, tmp_path: Path) -> None:
    assert left_by(way, tmp_path / "a.work") == []


def test_what_a_handler_raises_was_survived(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"), WorkMark(tmp_path / "a.work").on(SPANS):
        raise ValueError("broken")
    assert WorkMark(tmp_path / "a.work").take() == []


def test_a_mark_of_an_earlier_start_of_the_machine_blames_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("one")
    monkeypatch.setattr("shared.core.in_flight.BOOT", boot)
    WorkMark(tmp_path / "a.work")._write(SPANS)
    boot.write_text("another")
    assert WorkMark(tmp_path / "a.work").take() == []


def test_a_torn_mark_is_none(tmp_path: Path) -> None:
    mark = WorkMark(tmp_path / "a.work")
    mark._write(SPANS)
    mark._memory[HEAD + 20 : HEAD + 30] = bytes(10)
    assert WorkMark(tmp_path / "a.work").take() == []


def test_more_than_it_holds_is_not_marked(tmp_path: Path) -> None:
    WorkMark(tmp_path / "a.work")._write([(f"topic-{number}", 0, 0, 1) for number in range(10_000)])
    assert WorkMark(tmp_path / "a.work").take() == []


def test_all_of_it_lies_on_the_disk_before_it_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "b.work").write_bytes(b"short")
    for path in (tmp_path / "a.work", tmp_path / "b.work"):
        WorkMark(path)
        assert path.stat().st_size == SIZE
        assert path.stat().st_blocks * 512 >= SIZE, "in a hole a full disk would end the process"


def test_where_nothing_can_be_written_there_is_no_mark(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    assert open_mark(tmp_path / "run" / "a.work") is None


def test_many_suspects_are_cut_into_few_pieces_and_the_least_suspicion_counts() -> None:
    known = Suspects.of([("t", 0, 0, 1_000, 0), ("t", 0, 64, 96, 0), ("t", 0, 70, 71, 1)])
    pieces = [known.piece_of(("t", 0), offset) for offset in range(1_000)]
    assert len(set(pieces)) == 32 + 31  # the large range in 32, of which one is gone, its records, and the one alone
    assert pieces.count((0, 0)) == 32
    assert pieces.count((70, 0)) == 1


def test_only_who_was_alone_at_two_ends_is_guilty() -> None:
    known = Suspects.of([("t", 0, 5, 6, 2), ("t", 0, 6, 7, 1), ("t", 0, 8, 12, 9)])
    assert [offset for offset in range(15) if known.guilty(("t", 0), offset)] == [5]
    pieces = [known.piece_of(("t", 0), offset) for offset in range(4, 13)]
    assert pieces == [None, (5, 0), (6, 0), None, (8, 0), (8, 1), (8, 2), (8, 3), None]
    known.forget(("t", 0), 7)
    assert not known.guilty(("t", 0), 5)
    known.forget(("t", 0), 12)
    assert not known.ranges
