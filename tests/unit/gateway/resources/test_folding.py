"""A batch of events is reduced to what it says in the end."""

import json
from types import SimpleNamespace

from services.gateway.events.stream_events import stream_event_of
from services.gateway.handlers import LEARNING
from services.gateway.resources.commands.projection import not_ours
from services.gateway.resources.numbering import numbered
from services.gateway.resources.operations.projection import finished_rows, last_on_each_site
from services.gateway.resources.strategies.projection import fold
from shared.messages.base import Message
from shared.messages.deployer import CommandAccepted, ComponentDecision, OperationsSucceeded
from shared.wire.codec import Envelope, attributes_of, encode
from tests.service.gateway.told import all_succeeded, at, failed, planned, progressed, sites_changed, stepped, succeeded


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
    assert {key: row.move.state for key, row in fold(events, {}).steps.items()} == {
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


def test_the_last_end_says_what_runs_of_each_app_on_each_site() -> None:
    ends = [succeeded("o-1", "a"), succeeded("o-2", "b"), failed("o-3", "a"), succeeded("o-4", "a", app="db")]
    left = last_on_each_site(row for end in ends for row in finished_rows(told(end)))
    assert {(r.site, r.ending.app): (r.operation_id, r.ending.version) for r in left} == {
        ("a", "web"): ("o-3", "1.0"),
        ("b", "web"): ("o-2", "2.0"),
        ("a", "db"): ("o-4", "2.0"),
    }


def test_of_two_ends_on_a_site_the_later_one_counts_whichever_came_first() -> None:
    ends = [succeeded("o-2", "a", nth=2), failed("o-1", "a", nth=1)]
    assert [row.operation_id for row in last_on_each_site(r for end in ends for r in finished_rows(told(end)))] == [
        "o-2"
    ]


def test_operations_that_are_told_together_are_kept_as_if_each_were_told_alone() -> None:
    alone = [succeeded(f"o-{n}", f"a-{n}", strategy_id="s", nth=n) for n in (1, 2)]
    together = told(all_succeeded("s", ("o-1", "a-1", 1), ("o-2", "a-2", 2)))
    assert finished_rows(together) == [row for end in alone for row in finished_rows(told(end))]


def test_operations_of_a_strategy_that_end_alike_share_one_ending() -> None:
    ends = [succeeded(f"o-{n}", f"a-{n}", strategy_id="s") for n in range(9)] + [failed("o-9", "a-9", strategy_id="s")]
    endings, numbers = numbered(row.ending for end in ends for row in finished_rows(told(end)))
    assert [ending.state for ending in endings] == ["succeeded", "failed"]
    assert numbers == [1] * 9 + [2]


def test_the_plan_of_an_operation_is_kept_as_it_was_told() -> None:
    facts = {"driver": "simulated", "action": "rollback", "reason": 'ä "quoted"'}
    plan = tuple(ComponentDecision(component=name, revision=r, **facts) for name, r in [("web", "7"), ("db", None)])
    (row,) = finished_rows(told(succeeded("o", "a", plan=plan)))
    kept = json.loads(row.ending.plan)
    assert kept == [decision.model_dump(mode="json") for decision in plan]


def test_operations_of_strategies_are_not_told_one_by_one() -> None:
    (operations,) = (each for each in LEARNING if OperationsSucceeded in each.kinds)
    assert operations.shows(succeeded("o", "a"))
    assert not operations.shows(succeeded("o", "a", strategy_id="s"))
    assert not operations.shows(all_succeeded("s", ("o", "a", 1)))


def test_an_answer_is_ours_unless_it_belongs_to_something_larger() -> None:
    answer = CommandAccepted(command_id="c", command_type="t", about="a")
    assert not not_ours(attributes_of(recorded(told(answer, causation_id="c", correlation_id="c"))))
    assert not not_ours(attributes_of(recorded(told(answer, correlation_id="c"))))
    assert not_ours(attributes_of(recorded(told(answer, causation_id="c", correlation_id="strategy"))))
    assert not not_ours(attributes_of(recorded(told(succeeded("o", "a"), causation_id="c", correlation_id="strategy"))))


def test_data_that_is_too_long_for_the_stream_is_left_out() -> None:
    small, large = (
        told(sites_changed("a")),
        told(sites_changed(*(f"site-{n}" for n in range(500)), params={"x": "y" * 500})),
    )
    assert '"data":{' in stream_event_of(small).body
    assert '"data":null' in stream_event_of(large).body
