"""What the monitor knows of stages, and that repeats change nothing of it."""

from hypothesis import given
from hypothesis import strategies as some

from services.monitor.domain import RING, Snapshot, StrategyWatch, deleted, moved, planned, progressed, remembered
from services.monitor.judgement import Told, assess
from shared.messages.strategy import Counts, StrategyDeleted, StrategyPlanned, StrategyStateChanged, Why
from shared.messages.words import StageState, StrategyState
from tests.unit.monitor.stages import LIMITS, NEW, START, moment, progress, watched


def state(second: float, to: StrategyState) -> StrategyStateChanged:
    why = Why(code="x", message="y")
    return StrategyStateChanged(strategy_id="s-1", name="spring", state=to, why=why, counts=Counts(), at=moment(second))


def test_a_running_stage_is_known_by_its_counts() -> None:
    stage = watched(progress(0, 0), progress(5, 3, failed=1)).stages[0]
    assert (stage.running, stage.remaining, stage.at) == (2, 96, START + 5)
    assert stage.ring == (Snapshot(START, 0, 0), Snapshot(START + 5, 4, 1))


def test_the_same_progress_again_and_an_older_one_change_nothing() -> None:
    events = [progress(0, 0), progress(5, 3), progress(9, 4)]
    watch = watched(*events)
    for event in events:
        assert progressed(watch, event, LIMITS) is watch


@given(some.lists(some.integers(0, 9), max_size=40))
def test_however_a_stream_is_redelivered_it_ends_in_the_same_knowledge(rewinds: list[int]) -> None:
    events = [progress(second, done=second) for second in range(10)]
    watch = watched(*events)
    for first in rewinds:
        for event in events[first:]:
            watch = progressed(watch, event, LIMITS)
    assert watch == watched(*events)


def test_a_stage_that_ended_is_no_longer_looked_at_even_when_old_progress_comes_again() -> None:
    watch = watched(progress(0, 0), progress(9, 100, running=0, state=StageState.COMPLETE))
    assert watch.stages == {}
    assert progressed(watch, progress(5, 3), LIMITS) is watch


def test_a_stage_that_is_tried_again_starts_a_new_window() -> None:
    watch = watched(progress(0, 0), progress(5, 90, failed=10), progress(60, 90, failed=0))
    stage = watch.stages[0]
    assert stage.ring == (Snapshot(START + 60, 90, 0),)
    assert stage.longest_gap == 0


def test_failed_sites_that_are_tried_again_while_others_finish_start_a_new_window_too() -> None:
    watch = watched(progress(0, 0), progress(5, 3, failed=2), progress(6, 6, failed=0))
    assert watch.stages[0].ring == (Snapshot(START + 6, 6, 0),)
    _, notices = assess(watch, Told(), LIMITS, START + 7, judge_silence=True)
    assert [notice.message.failure_rate for notice in notices] == [0]  # type: ignore[attr-defined]


def test_the_pace_is_the_longest_gap_between_finished_sites() -> None:
    events = [progress(0, 0), progress(30, 1), progress(40, 1, running=3), progress(50, 2), progress(55, 3)]
    assert watched(*events).stages[0].longest_gap == 30


def test_an_ended_strategy_has_nothing_to_look_at_until_it_is_tried_again() -> None:
    watch = moved(watched(progress(0, 0)), state(9, StrategyState.FAILED), LIMITS)
    assert (watch.stages, watch.ended_at) == ({}, START + 9)
    assert progressed(watch, progress(5, 3), LIMITS) is watch
    again = moved(watch, state(20, StrategyState.APPLYING), LIMITS)
    assert progressed(again, progress(21, 3), LIMITS).stages.keys() == {0}
    assert moved(again, state(9, StrategyState.FAILED), LIMITS) is again


def test_a_deleted_strategy_has_ended() -> None:
    gone = StrategyDeleted(strategy_id="s-1", name="spring", at=moment(3))
    assert deleted(NEW, gone, LIMITS).ended_at == START + 3


def test_soak_times_are_learnt_from_the_plan() -> None:
    stage = {"name": "a", "sites": 1, "max_parallel": 1}
    spec = {"name": "x", "type": "update", "app": "web", "version": "2", "selection": {"all": True}}
    stages = [{**stage, "position": 0, "soak_seconds": 60}, {**stage, "position": 1, "soak_seconds": 0}]
    facts = {"strategy_id": "s-1", "spec": spec, "stages": stages, "created_at": moment(0)}
    assert planned(NEW, StrategyPlanned.model_validate(facts), LIMITS).soaks == {0: 60}


def test_what_is_kept_survives_the_changelog() -> None:
    watch = watched(progress(0, 0), progress(5, 3, stage=1), progress(6, 4))
    assert StrategyWatch.model_validate_json(watch.model_dump_json()) == watch


@given(some.lists(some.floats(0.001, 400), min_size=1, max_size=400))
def test_the_ring_is_bounded_and_reaches_back_to_the_edge_of_the_window(gaps: list[float]) -> None:
    ring: tuple[Snapshot, ...] = (Snapshot(0, 0, 0),)
    at, window = 0.0, 300.0
    for number, gap in enumerate(gaps, start=1):
        at += gap
        ring = remembered(ring, Snapshot(at, number, 0), window)
        assert len(ring) <= RING + 3
        assert ring[-1] == Snapshot(at, number, 0)
        assert ring[0].at <= at - window or ring[0].at == 0
        assert list(ring) == sorted(ring)
