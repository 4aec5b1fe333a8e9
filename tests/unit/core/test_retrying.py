"""What passes is tried again, what does not is raised at once, and whoever was told to stop stops."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared.core import retrying
from shared.core.retrying import BACK_OFF_SECONDS, for_ever, until_done


class Tries:
    """Breaks as often as it has errors, then succeeds; `done` counts what succeeded."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.done = 0

    async def __call__(self) -> int:
        if self.errors:
            raise self.errors.pop(0)
        self.done += 1
        return self.done


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause, of which none takes any time."""
    seconds: list[float] = []

    async def noted(wait: float) -> None:
        seconds.append(wait)

    monkeypatch.setattr(retrying, "pause", noted)
    return seconds


async def test_what_passes_is_tried_again_later_and_later(waited: list[float]) -> None:
    assert await until_done(Tries(*[OSError()] * 8), "waiting", "waiting") == 1
    assert waited == [*BACK_OFF_SECONDS, 2.0, 2.0]


async def test_what_does_not_pass_is_raised_at_once(waited: list[float]) -> None:
    with pytest.raises(KeyError):
        await until_done(Tries(KeyError()), "waiting", "waiting")
    assert waited == []


async def test_who_got_further_waits_as_at_first(waited: list[float]) -> None:
    tries = Tries(*[OSError()] * 3)
    await until_done(tries, "waiting", "waiting", progress=lambda: len(tries.errors))
    assert waited == [BACK_OFF_SECONDS[0]] * 3


async def test_each_success_ends_the_waits(waited: list[float]) -> None:
    tries = Tries(OSError(), OSError())

    async def work() -> None:
        if await tries() == 2:
            tries.errors = [OSError(), KeyError()]

    with pytest.raises(KeyError):
        await for_ever(work, "waiting", "waiting")
    assert waited == [*BACK_OFF_SECONDS[:2], BACK_OFF_SECONDS[0]]


@pytest.mark.parametrize("loop", [until_done, for_ever])
async def test_a_loop_ends_when_it_is_cancelled(loop: Callable[..., Awaitable[None]]) -> None:
    async def breaks() -> None:
        raise OSError

    task = asyncio.ensure_future(loop(breaks, "waiting", "waiting"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
