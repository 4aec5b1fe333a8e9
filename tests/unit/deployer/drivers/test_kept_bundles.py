"""Bundles that stay unpacked for the orders of a driver: once each, and cleared away when nobody has used them."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from services.deployer.drivers.bundles import YOUNG_SECONDS, UnpackedBundles, prune
from services.deployer.drivers.failed import Failed

OLD = YOUNG_SECONDS + 60


def aged(path: Path, seconds: float) -> Path:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))
    return path


async def test_who_comes_while_it_is_unpacked_waits_and_finds_it(tmp_path: Path) -> None:
    unpacked: list[str] = []

    async def unpack(sha256: str, target: Path) -> None:
        unpacked.append(sha256)
        await asyncio.sleep(0.05)
        target.mkdir()  # noqa: ASYNC240

    shared = [UnpackedBundles(tmp_path / "bundles", unpack, 2) for _ in range(3)]
    found = await asyncio.gather(*(one.of("a" * 64) for one in shared * 3))
    assert set(found) == {tmp_path / "bundles" / ("a" * 64)}
    assert unpacked == ["a" * 64]


async def test_one_that_cannot_be_had_is_tried_again_by_the_next(tmp_path: Path) -> None:
    tries = 0

    async def unpack(_: str, target: Path) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Failed("bundle_missing", "the store has none")
        target.mkdir()  # noqa: ASYNC240

    bundles = UnpackedBundles(tmp_path / "bundles", unpack, 2)
    with pytest.raises(Failed):
        await bundles.of("a" * 64)
    assert (await bundles.of("a" * 64)).is_dir()


def test_what_was_used_within_a_day_and_the_last_ones_stay(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"whole-{number}").mkdir()
        aged(tmp_path / f"whole-{number}", OLD + number)
    (tmp_path / ".draft").mkdir()
    aged(tmp_path / ".draft", OLD)
    (tmp_path / ".young-draft").mkdir()
    aged(tmp_path / "whole-4", 10)
    (tmp_path / ".whole-1.lock").touch()
    aged(tmp_path / ".whole-1.lock", OLD)
    prune(tmp_path, 2, time.time())
    assert sorted(path.name for path in tmp_path.iterdir()) == [".whole-1.lock", ".young-draft", "whole-0", "whole-4"]


def test_where_nothing_was_kept_yet_nothing_is_cleared_away(tmp_path: Path) -> None:
    prune(tmp_path / "none", 2, time.time())
