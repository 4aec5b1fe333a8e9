"""What the answers of a site's drivers say of it: online, offline or unknown, and whether that is news. Pure.

| it was | it answers | it does not, once | it does not, twice in a row | nobody can ask it |
|---|---|---|---|---|
| unknown | online | unknown | offline | unknown |
| online | online | online | offline | unknown |
| offline | online | offline | offline | unknown |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.deployer.drivers import Broken, Reached
from shared.messages.deployer import Cause
from shared.messages.words import Availability

OFFLINE_AFTER = 2
"""Failed checks in a row: one alone may be a lost packet, or a site that is just restarting."""

MOVED_BY = 0.1
"""Free bytes are told again when they differ by more than this share of what was told."""

SPREAD = 0.05
"""Each check comes so much earlier or later than a period after the one before, so that checks do not come in step."""

MOST_FACTS, LONGEST_NAME, LONGEST_FACT, LONGEST_CAUSE = 50, 100, 200, 500
"""As much as an event takes of one site."""

Answer = Reached | Broken | None
"""What a site, or one of its drivers for it, said; None = nobody could ask."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known of a site."""

    since: datetime
    availability: Availability = Availability.UNKNOWN
    seen_at: datetime | None = None
    failed: int = 0
    """Checks in a row that failed, counted up to OFFLINE_AFTER."""
    cause: Cause | None = None
    """Why the last one did."""
    free_bytes: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


def combined(answers: Mapping[str, Answer]) -> Answer:
    """What the drivers of a site say together: it answers when all that can be asked have an answer.

    Of two disks the one with less room counts.
    """
    asked = {driver: answer for driver, answer in sorted(answers.items()) if answer is not None}
    broken = [(driver, answer) for driver, answer in asked.items() if isinstance(answer, Broken)]
    if broken:
        driver, first = broken[0]
        return replace(first, message=f"{driver}: {first.message}") if len(answers) > 1 else first
    reached = [answer for answer in asked.values() if isinstance(answer, Reached)]
    if not reached:
        return None
    room = [each.free_bytes for each in reached if each.free_bytes is not None]
    facts: dict[str, str] = {}
    for each in reached:
        facts = {**each.facts, **facts}
    return Reached(min(room, default=None), facts)


def judged(known: Condition, answer: Answer, at: datetime) -> Condition:
    """What is known of a site once it was asked."""
    if answer is None:
        return _now(known, Availability.UNKNOWN, at, failed=0, cause=None)
    if isinstance(answer, Broken):
        failed = min(known.failed + 1, OFFLINE_AFTER)
        now = Availability.OFFLINE if failed == OFFLINE_AFTER else known.availability
        cause = Cause(code=answer.code[:LONGEST_NAME], message=answer.message[:LONGEST_CAUSE])
        return _now(known, now, at, failed=failed, cause=cause)
    said = replace(known, seen_at=at, free_bytes=answer.free_bytes, facts=fitting(answer.facts))
    return _now(said, Availability.ONLINE, at, failed=0, cause=None)


def _now(known: Condition, availability: Availability, at: datetime, failed: int, cause: Cause | None) -> Condition:
    since = known.since if availability == known.availability else at
    return replace(known, availability=availability, since=since, failed=failed, cause=cause)


def fitting(facts: Mapping[str, str]) -> dict[str, str]:
    """Facts as they are kept: so many, and none of them long."""
    kept: Iterable[tuple[str, str]] = sorted(facts.items())[:MOST_FACTS]
    return {name[:LONGEST_NAME]: fact[:LONGEST_FACT] for name, fact in kept}


def is_news(before: Condition, after: Condition) -> bool:
    """Whether it must be kept and told."""
    return (
        (before.availability, before.failed, before.facts) != (after.availability, after.failed, after.facts)
        or _code(before) != _code(after)
        or _moved(before.free_bytes, after.free_bytes)
    )


def _code(condition: Condition) -> str | None:
    """What a cause says beside it may differ each time: a port, a number of milliseconds."""
    return condition.cause.code if condition.cause else None


def _moved(before: int | None, after: int | None) -> bool:
    if before is None or after is None:
        return before != after
    return abs(after - before) > before * MOVED_BY


def next_due(due_at: datetime, now: datetime, period: timedelta, draw: float) -> datetime:
    """When a bucket is due again; `draw` is a number from 0 to 1. What is late is not made up for.

    One that was not due yet (a replica with a longer period had put it off) begins a period of its own.
    """
    spread = period * (SPREAD * (2 * draw - 1))
    return max(min(due_at, now) + period, now + period / 2) + spread
