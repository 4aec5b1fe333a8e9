"""What a killed process left in its temporary folder is gone when it starts anew; that of others is not touched."""

import tempfile
from pathlib import Path

import pytest

from shared.process.settings import Settings
from shared.process.temporary import own_temporary_folder


def test_what_a_killed_process_left_is_gone_at_its_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("BELAY_HOME", str(tmp_path))
    own_temporary_folder(Settings(instance="2"), "catalog")
    others = tempfile.mkdtemp()
    own_temporary_folder(Settings(instance="1"), "catalog")
    left = tempfile.mkdtemp(prefix="belay-prepare-")
    assert Path(left).is_relative_to(tmp_path)
    own_temporary_folder(Settings(instance="1"), "catalog")
    assert not Path(left).exists()
    assert Path(others).exists()
    assert Path(tempfile.mkdtemp()).stat().st_mode & 0o077 == 0
