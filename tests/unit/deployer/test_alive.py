"""What answers say of a site: the table of the README, and that nothing is told which is no news."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.alive.judgement import (
    MOVED_BY,
    OFFLINE_AFTER,
    SPREAD,
    Answer,
    Condition,
    combined,
    fitting,
    is_news,
    judged,
    next_due,
)
from services.deployer.drivers import Broken, Reached
from shared.messages.deployer import Cause
from shared.messages.words import Availability

README = Path(__file__).parents[3] / "services/deployer/README.md"
NOW = datetime(2026, 10, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)

ANSWERS: dict[str, tuple[Answer, ...]] = {
    "it answers": (Reached(),),
    "it does not, once": (Broken("refused", "no"),),
    "it does not, twice in a row": (Broken("refused", "no"),) * 2,
    "nobody can ask it": (None,),
}

words = st.text(max_size=300)
facts = st.dictionaries(words, words, max_size=60)
answers = st.one_of(
    st.none(),
    st.builds(Broken, words, st.text(max_size=2_000)),
    st.builds(Reached, st.none() | st.integers(0, 2**50), facts),
)


def known(availability: Availability, **more: Any) -> Condition:
    cause = Cause(code="refused", message="no")
    offline = {"failed": OFFLINE_AFTER, "cause": cause} if availability == Availability.OFFLINE else {}
    return Condition(NOW, availability, NOW, **{**offline, **more})


def table() -> list[tuple[str, str, str]]:
    """(it was, what it does, it is) of the README."""
    text = README.read_text().partition("## Whether sites answer")[2]
    head, _, *rows = [line for line in text.splitlines() if line.startswith("|")][:5]
    heads = re.findall(r"[^|]+", head)
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [(row[0], what.strip(), now) for row in cells for what, now in zip(heads[1:], row[1:], strict=True)]


@pytest.mark.parametrize(("was", "what", "now"), table())
def test_a_site_is_what_the_readme_says(was: str, what: str, now: str) -> None:
    condition = known(Availability(was))
    for answer in ANSWERS[what]:
        condition = judged(condition, answer, LATER)
    assert condition.availability == now


def test_the_readme_has_every_state() -> None:
    assert {was for was, _, _ in table()} == set(Availability)
    assert {what for _, what, _ in table()} == set(ANSWERS)


@given(st.lists(answers, max_size=12))
def test_whatever_it_answers_the_rules_of_the_table_hold(said: list[Answer]) -> None:
    condition = Condition(NOW)
    for n, answer in enumerate(said, 1):
        at = NOW + timedelta(minutes=n)
        before, condition = condition, judged(condition, answer, at)
        assert (condition.failed > 0) == (condition.cause is not None)
        assert condition.availability != Availability.OFFLINE or condition.failed == OFFLINE_AFTER
        assert condition.availability != Availability.ONLINE or condition.seen_at is not None
        assert (condition.since == at) or condition.availability == before.availability
        assert condition.seen_at == (at if isinstance(answer, Reached) else before.seen_at)


@given(answers, st.integers(1, 5))
def test_the_same_answer_again_and_again_is_news_at_most_twice(answer: Answer, times: int) -> None:
    conditions = [Condition(NOW)]
    for _ in range(times):
        conditions.append(judged(conditions[-1], answer, LATER))
    news = [is_news(a, b) for a, b in pairwise(conditions)]
    assert sum(news) <= OFFLINE_AFTER
    assert not any(news[OFFLINE_AFTER:])


@given(st.integers(0, 2**50), st.integers(0, 2**50))
def test_room_is_news_when_a_tenth_of_it_came_or_went(before: int, now: int) -> None:
    first = judged(Condition(NOW), Reached(before), NOW)
    moved = is_news(first, judged(first, Reached(now), LATER))
    assert moved == (abs(now - before) > before * MOVED_BY)


def test_other_words_of_the_same_cause_are_no_news_and_another_cause_is() -> None:
    offline = known(Availability.OFFLINE)
    assert not is_news(offline, judged(offline, Broken("refused", "port 50123"), LATER))
    assert is_news(offline, judged(offline, Broken("timeout", "no"), LATER))


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), answers, max_size=3))
def test_a_site_answers_when_all_that_can_be_asked_do(said: dict[str, Answer]) -> None:
    asked = [answer for answer in said.values() if answer is not None]
    together = combined(said)
    if not asked:
        assert together is None
    elif any(isinstance(answer, Broken) for answer in asked):
        assert isinstance(together, Broken)
    else:
        assert isinstance(together, Reached)
        rooms = [answer.free_bytes for answer in asked if isinstance(answer, Reached) and answer.free_bytes is not None]
        assert together.free_bytes == min(rooms, default=None)


@given(facts)
def test_facts_fit_into_an_event(found: dict[str, str]) -> None:
    kept = fitting(found)
    assert len(kept) <= 50
    assert all(len(name) <= 100 and len(fact) <= 200 for name, fact in kept.items())
    assert fitting(kept) == kept


@given(st.floats(-600, 600), st.floats(0, 1), st.integers(1, 3_600))
def test_a_bucket_is_due_again_after_a_period_and_what_is_late_is_not_made_up_for(
    late: float, draw: float, seconds: int
) -> None:
    period, now = timedelta(seconds=seconds), NOW + timedelta(seconds=late)
    due = next_due(NOW, now, period, draw)
    assert due >= min(NOW, now) + period * (1 - SPREAD)
    assert due >= now + period * (0.5 - SPREAD)
    assert due <= max(min(NOW, now) + period, now + period / 2) + period * SPREAD
    assert due <= now + period * (1 + SPREAD)
