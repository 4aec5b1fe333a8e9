"""A batch of events is reduced to what it says in the end."""

from types import SimpleNamespace

from services.gateway.news import news_of, worth_telling
from services.gateway.projections.answers import not_ours
from services.gateway.projections.fleet import deployment_rows
from services.gateway.projections.strategies import fold
from shared.codec import Envelope, encode
from shared.messages.base import Message
from shared.messages.deployer import CommandAccepted
from tests.service.gateway.told import at, planned, progressed, site_state, sites_changed, stepped, succeeded


def told(message: Message, sequence: int = 0, **more: str) -> Envelope[Message]:
    return Envelope(data=message, id=f"e-{sequence}", source="/test", time=at(0), sequence=sequence, **more)


def recorded(event: Envelope[Message]) -> SimpleNamespace:
    """The Kafka record of an event, as far as its headers."""
    return SimpleNamespace(headers=encode(event)[1])


def test_the_last_word_on_a_step_counts_and_an_older_one_after_it_does_not() -> None:
    events = [
        told(stepped("s", 1, ("a", 0, "running"), ("b", 0, "waiting")), 1),
        told(stepped("s", 2, ("a", 0, "complete")), 3),
        told(stepped("s", 1, ("a", 0, "running")), 2),
    ]
    assert {key: row.state for key, row in fold(events, {}).steps.items()} == {
        ("s", "a"): "complete",
        ("s", "b"): "waiting",
    }


def test_the_story_tells_each_state_of_a_stage_once_and_none_that_is_known() -> None:
    events = [
        told(progressed("s", 0, "running", 1, running=2), 2),
        told(progressed("s", 0, "running", 2, running=1, complete=1), 3),
        told(progressed("s", 0, "complete", 3, complete=2), 4),
        told(progressed("s", 0, "running", 2, running=1), 3),
    ]
    assert [row.code for row in fold(events, {}).timeline] == ["running", "complete"]
    assert [row.code for row in fold(events, {("s", 0): ("running", 1)}).timeline] == ["complete"]
    assert fold(events, {("s", 0): ("complete", 9)}).timeline == []


def test_a_plan_says_nothing_of_where_the_strategy_stands() -> None:
    learned = fold([told(planned("s", "north", 3, 4), 1)], {})
    assert [row.sites for row in learned.stage_plans.values()] == [3, 4]
    assert (learned.states, learned.stages) == ({}, {})


def test_the_newest_state_of_a_site_counts_by_sequence_then_by_time() -> None:
    by_sequence = [told(site_state("a", "2", "operational", 1), 2), told(site_state("a", "1", "operational", 9), 1)]
    by_time = [told(site_state("a", "2", "operational", 2)), told(site_state("a", "1", "operational", 1))]
    for events in (by_sequence, by_time):
        assert [row.version for row in deployment_rows(events).values()] == ["2"]


def test_operations_of_strategies_are_not_told_one_by_one() -> None:
    assert worth_telling(told(succeeded("o", "a")))
    assert not worth_telling(told(succeeded("o", "a", strategy_id="s")))
    assert not worth_telling(told(site_state("a", "1", "operational", 1)))


def test_an_answer_is_ours_unless_it_belongs_to_something_larger() -> None:
    answer = CommandAccepted(command_id="c", command_type="t", about="a")
    assert not not_ours(recorded(told(answer, causation_id="c", correlation_id="c")))
    assert not not_ours(recorded(told(answer, correlation_id="c")))
    assert not_ours(recorded(told(answer, causation_id="c", correlation_id="strategy")))
    assert not not_ours(recorded(told(succeeded("o", "a"), causation_id="c", correlation_id="strategy")))


def test_data_that_is_too_long_for_the_stream_is_left_out() -> None:
    small, large = (
        told(sites_changed("a")),
        told(sites_changed(*(f"site-{n}" for n in range(500)), params={"x": "y" * 500})),
    )
    assert '"data":{' in news_of(small).body
    assert '"data":null' in news_of(large).body
