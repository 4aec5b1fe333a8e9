"""An engine is asked for its version by one of all who want to know it."""

from __future__ import annotations

import asyncio
from typing import Any

from services.deployer.drivers.container.engine import Unreachable
from services.deployer.drivers.container.versions import KNOWN_SECONDS, Versions


class Asked:
    """An engine that answers when it is let, or does not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.times = 0
        self.let = asyncio.Event()
        self.error = error

    async def __call__(self) -> dict[str, Any]:
        self.times += 1
        await self.let.wait()
        if self.error:
            raise self.error
        return {"Version": str(self.times)}


async def at_once(versions: Versions, asked: Asked) -> list[Any]:
    all_of_them = [asyncio.create_task(versions.of("engine", asked)) for _ in range(50)]
    await asyncio.sleep(0)
    asked.let.set()
    return await asyncio.gather(*all_of_them, return_exceptions=True)


async def test_fifty_who_ask_at_once_get_the_answer_of_one_question_until_it_is_old_or_the_engine_was_away() -> None:
    now = 0.0
    versions, asked = Versions(lambda: now), Asked()
    assert await at_once(versions, asked) == [{"Version": "1"}] * 50
    now = KNOWN_SECONDS
    assert await versions.of("engine", asked) == {"Version": "2"}
    versions.forget("engine")
    assert await versions.of("engine", asked) == {"Version": "3"}


async def test_fifty_who_wait_for_an_engine_that_does_not_answer_are_told_so_together_and_may_ask_again() -> None:
    now = 0.0
    versions, asked = Versions(lambda: now), Asked(Unreachable("it is away"))
    assert [str(each) for each in await at_once(versions, asked)] == ["it is away"] * 50
    assert asked.times == 1
    now, asked.error = 1.0, None
    assert await versions.of("engine", asked) == {"Version": "2"}
