"""Values of secrets in the memory of a host: for one component, one order and one user."""

import os
from pathlib import Path

import pytest

from services.deployer.drivers.process.keeper import memory
from services.deployer.drivers.process.keeper.folder import Folder, Launch, Life, read_json

VALUES = {"TOKEN": "correct-horse"}


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "MEMORY", tmp_path / "shm")
    (tmp_path / "shm").mkdir()
    monkeypatch.setattr(memory, "IN_MEMORY", frozenset({*memory.IN_MEMORY, None}))  # as a disk is for this test
    return tmp_path / "site"


def test_they_are_there_for_the_order_that_gave_them_and_its_variables_and_gone_when_forgotten(own: Path) -> None:
    own.mkdir()
    memory.give(own, "o1", VALUES)
    assert memory.given(own, "o1", ("TOKEN",)) == VALUES
    assert memory.given(own, "o2", ("TOKEN",)) is None
    assert memory.given(own, "o1", ("TOKEN", "OTHER")) is None
    assert memory.given(own, "o2", ()) == {}
    memory.sweep()
    assert memory.given(own, "o1", ("TOKEN",)) == VALUES
    own.rmdir()
    memory.sweep()
    assert memory.given(own, "o1", ("TOKEN",)) is None
    memory.give(own, "o1", VALUES)
    memory.give(own, "o2", {})
    assert memory.given(own, "o1", ("TOKEN",)) is None


def test_what_somebody_who_was_killed_had_half_written_goes_too(own: Path) -> None:
    own.mkdir()
    memory.give(own, "o1", VALUES)
    kept = next(path for path in memory.MEMORY.rglob("*.json"))
    old, new = (kept.with_name(f".{kept.name}.{number}.1") for number in (1, 2))
    for draft in (old, new):
        draft.write_text("correct-horse")
    os.utime(old, (0, 0))
    memory.sweep()
    assert [path.exists() for path in (old, new, kept)] == [False, True, True]


def test_a_folder_that_others_may_enter_or_a_disk_is_refused(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (memory.MEMORY / f"belay-{os.geteuid()}").mkdir(mode=0o755)
    with pytest.raises(memory.NoMemory, match="is not a folder of this user alone"):
        memory.give(own, "o1", VALUES)
    assert memory.given(own, "o1", ("TOKEN",)) is None
    monkeypatch.setattr(memory, "IN_MEMORY", frozenset({"tmpfs"}))
    with pytest.raises(memory.NoMemory, match="no file system in memory"):
        memory.refuse()


def test_what_has_no_secrets_is_written_as_a_version_of_before_reads_it(own: Path) -> None:
    own.mkdir()
    folder = Folder(own)
    launch = Launch("a", "o1", "1.0", ("x",), {}, 1, 1.0)
    folder.write_launch(launch)
    folder.write_life(Life("a"))
    assert "secrets" not in read_json(own / "launch.json")
    assert "waits_for_secrets" not in read_json(own / "life.json")
    assert folder.launch() == launch
