"""What the bench says of its measurements is right."""

import math

import pytest

from shared.messages.strategy import SitesHeld
from tests.bench.chart import bars
from tests.bench.handover import gaps
from tests.bench.journal import Span
from tests.bench.kafka_log import Entry
from tests.bench.page import arrivals, identifier
from tests.bench.result import Result, as_json, lines_of
from tests.bench.schedule import ideal
from tests.bench.stacks import functions, modules, parse
from tests.bench.stream import MUST_COME, view
from tests.bench.stream import parse as parse_notes
from tests.bench.summary import Line, medians, percentile
from tests.bench.together import most_at_once


def test_a_goal_is_judged_by_the_median_and_in_its_own_direction() -> None:
    fast = Line("rate", "steps/s", (10, 5000, 9000), 5000, "more")
    slow = Line("wait", "ms", (1, 21, 22), 20, "less")
    assert fast.reached
    assert not slow.reached
    assert Line("told", "ms", (1,)).reached is None


def test_twice_as_good_as_the_goal_is_two_whichever_way_is_better() -> None:
    assert Line("rate", "steps/s", (100,), 50, "more").times_goal == 2
    assert Line("wait", "ms", (10,), 20, "less").times_goal == 2
    assert Line("wait", "ms", (40,), 20, "less").times_goal == 0.5


def test_a_goal_of_nothing_is_reached_by_nothing_only() -> None:
    assert Line("errors", "errors", (0, 0, 0), 0).reached
    assert not Line("errors", "errors", (0, 1, 1), 0).reached
    assert Line("errors", "errors", (0,), 0).times_goal == math.inf


@pytest.mark.parametrize(("per_cent", "expected"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_a_percentile_is_a_value_that_was_measured(per_cent: float, expected: int) -> None:
    assert percentile(range(100, 0, -1), per_cent) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_medians_take_each_name_where_it_is_there() -> None:
    assert medians([{"a": 1, "b": 5}, {"a": 3}, {"a": 2}]) == {"a": 2, "b": 5}


# -- handing over a slot ------------------------------------------------------------------------------------------


def test_a_start_belongs_to_the_finish_that_freed_its_slot() -> None:
    starts, finishes = [0, 0, 11, 12], [10, 11.5, 20, 21]
    assert gaps(starts, finishes, parallel=2) == [1, 0.5]


def test_the_order_in_which_events_were_read_does_not_matter() -> None:
    assert gaps([12, 0, 11, 0], [21, 10, 20, 11.5], parallel=2) == [1, 0.5]


def test_when_all_fit_at_once_no_slot_is_handed_over() -> None:
    assert gaps([0, 0], [1, 1], parallel=2) == []


def test_a_start_before_its_slot_was_free_is_no_measurement() -> None:
    with pytest.raises(ValueError, match="before a slot is free"):
        gaps([0, 5], [10, 15], parallel=1)


# -- the ideal schedule -------------------------------------------------------------------------------------------


def test_with_one_slot_the_ideal_is_the_sum() -> None:
    assert ideal([3, 1, 2], slots=1) == 6


def test_with_a_slot_for_each_the_ideal_is_the_longest() -> None:
    assert ideal([3, 1, 2], slots=3) == 3


def test_each_job_takes_the_slot_that_is_free_first() -> None:
    assert ideal([4, 1, 1, 1, 5], slots=2) == 8  # 1 + 1 + 1 beside the 4, then 5 from 3 on


def test_no_jobs_take_no_time() -> None:
    assert ideal([], slots=10) == 0


# -- what a page sees ---------------------------------------------------------------------------------------------


def test_the_page_notes_each_event_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [b"id: 7\n", b"event: steps_changed\n", b'data: {"type":"x","id":"abc","data":{"id":"no"}}\n', b"\n"]
    (note,) = arrivals(lines)
    assert note.split()[1:] == ["steps_changed", "abc"]


def test_a_reset_has_no_id() -> None:
    assert identifier(b'data: {"type":"reset","data":{"reason":"read again"}}') == "-"


def test_an_event_is_as_old_as_when_the_page_first_had_it() -> None:
    seen = parse_notes("10.050 steps_changed a\n11.000 steps_changed a\n")
    found = view([entry("a", sent_at=10.0)], seen)
    assert found.ms == [pytest.approx(50)]
    assert found.missed == 0


def test_an_event_that_a_page_needs_and_never_got_is_counted() -> None:
    assert view([entry("a", sent_at=10.0), entry("b", 10.0, "other")], {}).missed == 1


def test_events_after_the_last_site_was_held_are_told_apart() -> None:
    seen = parse_notes("10.500 x a\n11.900 x b\n12.010 x c\n")
    found = view([entry("a", 10.0), entry("b", 11.0, SitesHeld.TYPE), entry("c", 12.0)], seen)
    assert found.ms == [pytest.approx(500), pytest.approx(900), pytest.approx(10)]
    assert found.running_ms == [pytest.approx(10)]


def entry(identifier: str, sent_at: float, kind: str = min(MUST_COME)) -> Entry:
    return Entry("strategy.events", kind, identifier, sent_at, sent_at, b"")


# -- profiles -----------------------------------------------------------------------------------------------------

RAW = """\
main (services/x/app.py:3);run (asyncio/runners.py:9);work (services/x/work.py:10) 3
main (services/x/app.py:3);run (asyncio/runners.py:9);work (services/x/work.py:11);dumps (orjson/__init__.py:1) 1
"""


def test_lines_of_one_function_are_one_place() -> None:
    first = functions(parse(RAW))[0]
    assert (first.where, first.itself, first.inclusive) == ("work (services/x/work.py)", 0.75, 1.0)


def test_modules_are_ours_by_file_and_others_by_package() -> None:
    shares = {share.where: share.itself for share in modules(parse(RAW))}
    assert shares == {"services/x/work.py": 0.75, "orjson": 0.25, "asyncio": 0, "services/x/app.py": 0}


# -- what is kept and drawn ---------------------------------------------------------------------------------------


def test_what_is_kept_says_the_same_when_it_is_read_again() -> None:
    line = Line("rate", "steps/s", (1, 2, 3), 5, "more")
    assert lines_of(as_json(Result((line,)))) == [line]


def test_only_goals_are_drawn_and_of_many_alike_the_worst() -> None:
    lines = (Line("a", "MiB", (100,), 250), Line("b", "MiB", (200,), 250), Line("told", "MiB", (900,)))
    drawn = bars({"memory": as_json(Result(lines))})
    assert [(name, line.label) for name, line in drawn] == [("memory", "b")]


def test_what_ends_as_another_begins_is_not_there_at_the_same_instant() -> None:
    assert most_at_once([]) == 0
    assert most_at_once([Span(0, 2, 2), Span(2, 4, 2), Span(3, 5, 2)]) == 2
    assert most_at_once([Span(0, 9, 9), Span(1, 2, 1), Span(3, 4, 1), Span(3.5, 5, 1)]) == 3
