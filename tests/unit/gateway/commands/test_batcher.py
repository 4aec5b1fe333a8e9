"""Questions of many requests, answered together."""

import asyncio
from collections.abc import Sequence

import pytest

from services.gateway.commands.batcher import MOST_AT_ONCE, Batcher


class Doubler:
    """Doubles numbers, a batch at a time, when it is let; breaks over negative ones."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        await self.open.wait()
        if lost := [number for number in numbers if number == 1313]:
            raise ConnectionError(f"lost over {lost}")
        if bad := [number for number in numbers if number < 0]:
            raise ValueError(f"{bad[0]} cannot be doubled")
        return [number * 2 for number in numbers]


def asked(batcher: Batcher[int, int], numbers: Sequence[int]) -> "list[asyncio.Task[int]]":
    return [asyncio.create_task(batcher.submit(number)) for number in numbers]


async def test_one_alone_is_answered_at_once() -> None:
    doubler = Doubler()
    assert await Batcher(doubler).submit(4) == 8
    assert doubler.batches == [[4]]


async def test_what_comes_while_a_batch_is_worked_on_makes_the_next_batch() -> None:
    doubler = Doubler()
    doubler.open.clear()
    batcher = Batcher(doubler)
    first = asked(batcher, [0])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = asked(batcher, range(1, 6))
    await asyncio.sleep(0)
    doubler.open.set()
    assert await asyncio.gather(*first, *later) == [0, 2, 4, 6, 8, 10]
    assert doubler.batches == [[0], [1, 2, 3, 4, 5]]


async def test_a_batch_has_a_limit() -> None:
    doubler = Doubler()
    await asyncio.gather(*asked(Batcher(doubler), range(MOST_AT_ONCE + 1)))
    assert [len(batch) for batch in doubler.batches] == [MOST_AT_ONCE, 1]


async def test_only_the_one_to_blame_hears_of_what_broke() -> None:
    outcomes = await asyncio.gather(*asked(Batcher(Doubler()), [1, -2, 3]), return_exceptions=True)
    assert [repr(outcome) for outcome in outcomes] == ["2", "ValueError('-2 cannot be doubled')", "6"]


async def test_all_hear_of_a_passing_failure_and_the_next_batch_is_worked_on() -> None:
    doubler = Doubler()
    batcher = Batcher(doubler)
    outcomes = await asyncio.gather(*asked(batcher, [1, 1313]), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError, ConnectionError]
    assert doubler.batches == [[1, 1313]]
    assert await batcher.submit(5) == 10


async def test_who_left_meanwhile_is_not_waited_for() -> None:
    doubler = Doubler()
    doubler.open.clear()
    batcher = Batcher(doubler)
    gone, stays = asked(batcher, [1, 2])
    await asyncio.sleep(0)
    gone.cancel()
    doubler.open.set()
    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await gone
