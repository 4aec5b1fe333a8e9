"""Tests give up on lack of progress, as a busy machine stretches it; never while something goes on."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.support import patience as waiting
from tests.support.patience import CORES, come, patience, stretched, until
from tests.support.running import Running


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine as quiet or busy as this file says."""
    load = tmp_path / "loadavg"
    load.write_text("0.10 0.10 0.10 1/100 4711\n")
    monkeypatch.setattr(waiting, "LOAD", load)
    return load


def test_a_machine_that_is_n_times_busy_stretches_every_wait_n_times(quiet: Path) -> None:
    assert stretched(10) == 10
    quiet.write_text(f"{CORES * 3}.00 0.10 0.10 1/100 4711\n")
    assert stretched(10) == 30
    quiet.write_text(f"0.00 0.10 0.10 {CORES * 4}/100 4711\n")
    assert stretched(10) == 40, "the load of this moment, which no average shows yet"


@pytest.mark.usefixtures("quiet")
async def test_news_begin_the_wait_anew_and_silence_ends_it() -> None:
    news, seen = asyncio.Condition(), list[int]()

    async def tell() -> None:
        for number in range(6):
            await asyncio.sleep(0.2)
            async with news:
                seen.append(number)
                news.notify_all()

    telling = asyncio.create_task(tell())
    await come(news, lambda: len(seen) == 6, lambda: len(seen), 0.8)
    await telling
    with pytest.raises(TimeoutError):
        await come(news, lambda: len(seen) == 7, lambda: len(seen), 0.1)


@pytest.mark.usefixtures("quiet")
async def test_without_progress_a_wait_ends_with_the_reason() -> None:
    with pytest.raises(TimeoutError):
        async with patience(0.05):
            await asyncio.sleep(5)
    begun = time.monotonic()
    with pytest.raises(AssertionError, match=r"not so within 0\.1 s"):
        until(lambda: False, 0.1)
    assert time.monotonic() - begun < 5


@pytest.mark.usefixtures("quiet")
def test_a_program_may_take_long_but_not_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.running.STALLED", 0.9)
    talking = Running(["sh", "-c", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done; exit 3"], {})
    assert [line.strip() for line in talking] == ["1", "2", "3", "4", "5", "6"]
    assert talking.status == 3
    silent = Running(["sh", "-c", "echo begun; exec sleep 60"], {})
    with pytest.raises(AssertionError, match=r"it said nothing for 0\.9 s; at last: begun"):
        list(silent)
