"""The log stream loses no line, whatever happens to the files."""

from pathlib import Path

import pytest

from shared.embedded.follow import LONGEST_LINE, Follower, Tail


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "some.log"


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_only_what_is_new_is_shown(log: Path) -> None:
    append(log, "yesterday\n")
    tail = Tail(log, from_start=False)
    append(log, "today\n")
    assert list(tail.lines()) == ["today"]
    tail.close()


def test_a_line_is_shown_when_it_is_whole(log: Path) -> None:
    append(log, "be")
    tail = Tail(log, from_start=True)
    assert list(tail.lines()) == []
    append(log, "lay\n")
    assert list(tail.lines()) == ["belay"]
    tail.close()


def test_lines_on_both_sides_of_a_rotation_are_shown(log: Path) -> None:
    append(log, "")
    tail = Tail(log, from_start=False)
    append(log, "last of the old\n")
    log.rename(log.with_suffix(".1"))
    append(log, "first of the new\n")
    assert list(tail.lines()) == ["last of the old", "first of the new"]
    tail.close()


def test_a_line_without_end_is_cut(log: Path) -> None:
    append(log, "x" * (LONGEST_LINE + 1))
    tail = Tail(log, from_start=True)
    assert [len(line) for line in tail.lines()] == [LONGEST_LINE + 1]
    tail.close()


def test_each_line_comes_with_the_name_of_its_program(tmp_path: Path) -> None:
    append(tmp_path / "kafka.log", "old\n")
    lines: list[tuple[str, str]] = []
    with Follower(tmp_path, lambda name, line: lines.append((name, line))):
        append(tmp_path / "kafka.log", "up\n")
        append(tmp_path / "catalog-1.log", "runs\n")
    assert sorted(lines) == [("catalog-1", "runs"), ("kafka", "up")]
