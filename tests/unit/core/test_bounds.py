"""What is emitted is bounded where it is made: answers list so many faults, and say how many there are."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from services.gateway.http.problems import Problem
from services.strategy_orchestrator.message_parts import NAMES_KEPT, abridged, names_in, parts_of_sites, parts_of_steps
from shared.core.outbox import batch_bytes
from shared.messages.base import MOST_FAULTS, Fault, count_of, faults_of, listed, some_of
from shared.messages.strategy import (
    BATCH,
    CommandRejected,
    Selection,
    Site,
    SitesChanged,
    StageSpec,
    StepChange,
    StepsChanged,
    StrategySpec,
    Why,
)
from shared.messages.words import StepState
from shared.wire.codec import Envelope, encode
from shared.wire.topics import LIVE

NOW = datetime(2026, 11, 28, tzinfo=UTC)
LONG = "\U0001f525" * 5_000


def faults(count: int) -> tuple[Fault, ...]:
    return tuple(Fault(code=LONG, field=LONG, message=LONG, value=LONG) for _ in range(count))


def test_an_answer_with_100_000_faults_of_any_length_fits_its_topic() -> None:
    shown = listed(faults(5_000))
    answer = CommandRejected(command_id="x" * 200, command_type=LONG[:200], about=LONG[:200], code="c", faults=shown)
    key, headers, body = encode(Envelope(data=answer, id="x" * 200, source="/x", time=NOW))
    assert batch_bytes(key, headers, body) < LIVE[answer.TOPIC].max_bytes
    assert (len(shown), shown[-1].message, count_of(shown)) == (MOST_FAULTS + 1, "and 4900 more", 5_000)


@given(some.integers(0, 350))
def test_faults_that_were_listed_once_are_listed_as_they_are(count: int) -> None:
    once = listed(faults(count)[:1] * count)
    assert listed(once) == once
    assert count_of(once) == count


@given(some.lists(some.integers(0, 350), max_size=4))
def test_faults_of_several_kinds_are_counted_together_however_many_of_each_were_made(counts: list[int]) -> None:
    made = [
        fault for count in counts for fault in some_of(range(count), lambda n: Fault(code=f"{n}", field="", message=""))
    ]
    assert count_of(made) == count_of(listed(made)) == sum(counts)
    assert len(made) <= len(counts) * (MOST_FAULTS + 1)
    assert [f.code for f in listed(made)[:MOST_FAULTS]] == [f.code for f in made if f.code != "more_faults"][
        :MOST_FAULTS
    ]


def test_of_100_000_names_that_are_none_as_many_are_told_as_an_answer_lists() -> None:
    with pytest.raises(ValidationError) as refused:
        Selection(sites=tuple(f"not a name {n}" for n in range(100_000)))
    found = faults_of(refused.value)
    assert (len(found), count_of(found), found[0].field) == (MOST_FAULTS + 1, 100_000, "sites.0")


def test_a_problem_tells_the_first_in_a_line_and_how_many_more() -> None:
    found = [Fault(code="unknown_site", field=f"sites.{n}", message="there is none") for n in range(20_000)]
    problem = Problem.of(found)
    assert problem.detail.endswith("sites.9: there is none; and 19990 more")
    assert len(problem.response().body) < 20_000  # type: ignore[arg-type]


@pytest.mark.parametrize(("selected", "staged"), [(0, 0), (999, 0), (1_000, 1), (100_000, 3), (10, 5_000)])
@pytest.mark.parametrize("excluded", [0, 2, 20_000])
def test_a_kept_spec_names_so_many_sites_and_says_how_many_it_leaves_out(
    selected: int, staged: int, excluded: int
) -> None:
    stages = (StageSpec(name="a", sites=tuple(f"s-{n}" for n in range(staged))), StageSpec(name="b", sites=("last",)))
    selection = Selection(
        sites=tuple(f"s-{n}" for n in range(selected)), exclude={"sites": [f"x-{n}" for n in range(excluded)]}
    )
    spec = StrategySpec(name="x", type="apply", app="a", version="1", selection=selection, stages=stages)
    kept, left_out = abridged(spec)
    names = names_in(kept)
    given_names = selected + excluded + staged + 1
    assert (names, names + left_out) == (min(NAMES_KEPT, given_names), given_names)
    assert kept.selection.sites == selection.sites[:NAMES_KEPT]


def test_steps_with_the_longest_reasons_travel_in_messages_that_fit() -> None:
    why = Why(code="failed", message=LONG[:4_000])
    steps = [
        StepChange(site="s" * 100, stage=1, state=StepState.FAILED, operation_id="o" * 200, why=why) for _ in range(700)
    ]
    batches = list(parts_of_steps(steps))
    assert [step for batch in batches for step in batch] == steps
    for batch in batches:
        event = StepsChanged(strategy_id="x" * 200, steps=batch, at=NOW)
        assert batch_bytes(*encode(Envelope(data=event, id="x", source="/", time=NOW))) < LIVE[event.TOPIC].max_bytes
    assert [len(batch) for batch in parts_of_steps([steps[0].model_copy(update={"why": None})] * 1_100)] == [
        BATCH,
        BATCH,
        100,
    ]


def test_sites_with_as_many_labels_as_they_may_have_travel_in_messages_that_fit() -> None:
    labels = {f"{n}".ljust(200, "x"): "y" * 200 for n in range(64)}
    sites = [Site(name=f"s-{n}", labels=labels if n % 3 else {}) for n in range(700)]
    parts = list(parts_of_sites(sites))
    assert [site for part in parts for site in part] == sites
    for part in parts:
        event = SitesChanged(sites=part)
        assert batch_bytes(*encode(Envelope(data=event, id="x", source="/", time=NOW))) < LIVE[event.TOPIC].max_bytes
    assert [len(part) for part in parts_of_sites(sites[:1] * 1_100)] == [BATCH, BATCH, 100]
