"""Many asked together, and each alone where that breaks: what is wrong with one site must not be that of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from shared.core.errors import BelayError

log = structlog.get_logger()

T = TypeVar("T")
A = TypeVar("A")

Ask = Callable[[Sequence[T]], Awaitable[Sequence[A]]]
Missed = Callable[[T, Exception], A]
"""What counts for one whose own question breaks."""


class BadAnswer(BelayError):
    """Answers that nobody can tell whose they are."""


async def ask_each(driver: str, ask: Ask[T, A], those: Sequence[T], missed: Missed[T, A]) -> list[A]:
    """What each answers, in their order."""
    try:
        return await _answers(ask, those)
    except Exception as error:  # noqa: BLE001 - told with its traceback
        _tell(driver, error, len(those))
        if len(those) == 1:
            return [missed(those[0], error)]
    return list(await asyncio.gather(*(_alone(ask, one, missed) for one in those)))


def _tell(driver: str, error: Exception, asked: int) -> None:
    if isinstance(error, TimeoutError):
        log.warning("a driver did not keep to its time", action="driver_slow", driver=driver, asked=asked)
    else:
        log.error("a driver could not be asked", action="driver_failed", driver=driver, asked=asked, exc_info=error)


async def _alone(ask: Ask[T, A], one: T, missed: Missed[T, A]) -> A:
    try:
        return (await _answers(ask, [one]))[0]
    except Exception as error:  # noqa: BLE001 - of one, and told by whoever misses it
        return missed(one, error)


async def _answers(ask: Ask[T, A], those: Sequence[T]) -> list[A]:
    answers = list(await ask(those))
    if len(answers) != len(those):
        raise BadAnswer(f"asked for {len(those)}, it answered for {len(answers)}")
    return answers
