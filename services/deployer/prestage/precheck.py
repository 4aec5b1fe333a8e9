"""Where a prestage begins on its site: refused, or set out with what is missing there."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.deployer import course as courses
from services.deployer.alive.asking import Asking
from services.deployer.alive.judgement import Answer
from services.deployer.course import Limits, Move
from services.deployer.domain import Operation
from services.deployer.drivers import Broken
from services.deployer.drivers.registry import DriverRegistry
from services.deployer.engine.execution import wish_of
from services.deployer.phases import Phase
from services.deployer.plan import Ground, obstacle
from services.deployer.prestage.judgement import cause_against, judged
from services.deployer.prestage.planning import plan_of, prepared_words
from services.deployer.store import Claim, Loaded
from shared.messages.deployer import Cause

Found = tuple[Claim, Loaded, Ground]


class Precheck:
    """Judges prestages that begin, a batch at a time: each driver is asked once for all of its sites."""

    def __init__(self, registry: DriverRegistry, asking: Asking, limits: Limits) -> None:
        self._registry = registry
        self._asking = asking
        self._limits = limits

    async def first_moves(self, found: Sequence[Found]) -> list[Move]:
        """The first move of each, in order."""
        now = datetime.now(UTC)
        moves = [self._refused(each, now) for each in found]
        asked = [each for each, move in zip(found, moves, strict=True) if move is None]
        answers = iter(await self._ask([ground for _, _, ground in asked]))
        now = datetime.now(UTC)
        return [move or self._judged(each, next(answers), now) for each, move in zip(found, moves, strict=True)]

    async def _ask(self, grounds: Sequence[Ground]) -> list[Answer]:
        """Each site, and once more what did not answer: one lost packet fails no prestage."""
        answers = await self._asking.ask_by([_asked(ground) for ground in grounds]) if grounds else []
        again = [n for n, answer in enumerate(answers) if isinstance(answer, Broken)]
        if again:
            said = await self._asking.ask_by([_asked(grounds[n]) for n in again])
            for n, answer in zip(again, said, strict=True):
                answers[n] = answer
        return answers

    def _judged(self, found: Found, answer: Answer, now: datetime) -> Move:
        operation, ground = found[1].operation, found[2]
        cause, platform = judged(operation, ground, self._registry.can, answer)
        return courses.refuse(operation.kind, cause, now) if cause else self._set_out(found, platform, now)

    def _refused(self, found: Found, now: datetime) -> Move | None:
        claim, loaded, ground = found
        kind = loaded.operation.kind
        if loaded.refused:
            return courses.refuse(kind, loaded.refused, now, Phase.PREPARE)
        if (wish := wish_of(loaded.cancel_reason)) and claim.attempt == 1:
            return courses.refuse(kind, wish, now)
        if cause := obstacle(loaded.operation, ground, self._registry) or _unprepared(loaded.operation, ground):
            return courses.refuse(kind, cause, now)
        # Another runner may have begun it: then it goes on, whatever was said of the site meanwhile. Refused it would
        # forget what lies there by now, which would be sent once more.
        cause = cause_against(loaded.operation, ground) if claim.attempt == 1 else None
        return courses.refuse(kind, cause, now) if cause else None

    def _set_out(self, found: Found, platform: str, now: datetime) -> Move:
        """One that somebody wants stopped may have been begun by another runner: then its orders are cancelled."""
        _, loaded, ground = found
        operation = loaded.operation
        way = plan_of(operation, ground, self._registry.can, platform)
        words = prepared_words(ground.prepared[operation.to_version or ""])
        timeout = timedelta(seconds=operation.timeout_seconds)
        move = courses.set_out_with(operation.kind, way.plan, now, timeout, words, way.without, platform)
        wish = wish_of(loaded.cancel_reason)
        return courses.stop(move[0], wish, now, self._limits) if wish else move


def _asked(ground: Ground) -> tuple[str, Mapping[str, Mapping[str, Any]]]:
    """By those of its drivers alone that bring something: another may be away."""
    drivers = {component.driver for content in ground.contents.values() for component in content.components.values()}
    return ground.site.name, {name: told for name, told in ground.site.connections.items() if name in drivers}


def _unprepared(operation: Operation, ground: Ground) -> Cause | None:
    if operation.to_version in ground.prepared:
        return None
    return Cause(code="preparation_failed", message=f"what was prepared of release {operation.to_version} is gone")
