"""A bundle that finds no room when it is unpacked leaves nothing behind, and is unpacked once there is room."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from shared.bundle import unpack
from tests.support.bundles import bundle, written
from tests.support.images import noise
from tests.support.small_disk import give_room, small_disk


def test_what_finds_no_room_leaves_nothing_and_is_unpacked_once_there_is(tmp_path: Path) -> None:
    path = written(tmp_path, bundle({"data/noise": noise(3 << 20)}))
    with small_disk(tmp_path / "disk", "1m") as disk:
        with pytest.raises(OSError, match="No space left") as full:
            unpack(path, disk / "target")
        assert full.value.errno == errno.ENOSPC
        assert list(disk.iterdir()) == []
        give_room(disk)
        assert unpack(path, disk / "target").app == "lamp"
