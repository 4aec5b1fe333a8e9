"""Forecasts, alarms and silence."""

from dataclasses import replace
from math import exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.monitor.domain import StrategyWatch, changed
from services.monitor.judgement import Notice, Told, Window, assess, eta, patience, poisson_range, window_of
from shared.messages.monitor import FailureRateHigh, StageForecast, StrategySilent
from shared.messages.words import StageState
from tests.unit.monitor.stages import LIMITS, START, moment, progress, watched


def judged(watch: StrategyWatch, second: float, told: Told | None = None, silence: bool = True):  # type: ignore[no-untyped-def]
    return assess(watch, told or Told(), LIMITS, START + second, silence)


def of(kind: type, notices: list[Notice]) -> list:  # type: ignore[type-arg]
    return [notice.message for notice in notices if isinstance(notice.message, kind)]


# -- window and end -----------------------------------------------------------------------------------------------


def test_the_window_counts_what_finished_in_it_and_no_more() -> None:
    stage = watched(progress(0, 0), progress(100, 10, failed=2), progress(500, 20, failed=3)).stages[0]
    assert window_of(stage, START + 500, 300) == Window(11, 1, 400)
    assert window_of(stage, START + 900, 300).finished == 0


def test_sites_that_finished_before_the_monitor_looked_are_not_counted() -> None:
    stage = watched(progress(0, 50), progress(10, 51)).stages[0]
    assert window_of(stage, START + 10, 300).finished == 1


def test_the_failure_rate_of_nothing_is_zero() -> None:
    assert Window(0, 0, 5).failure_rate == 0
    assert Window(4, 1, 5).failure_rate == 0.25


def test_an_end_is_forecast_only_when_enough_has_finished() -> None:
    assert eta(10, Window(2, 0, 60), sample=3) is None
    assert eta(10, Window(3, 0, 0), sample=3) is None
    assert eta(0, Window(0, 0, 60), sample=3) == (0, 0)


def test_the_range_of_an_end_holds_the_plain_guess_and_narrows_with_more_evidence() -> None:
    few, many = eta(100, Window(4, 0, 40), 3), eta(100, Window(400, 0, 4000), 3)
    assert few is not None
    assert many is not None
    assert few[0] < 1000 < few[1]
    assert many[0] < 1000 < many[1]
    assert many[1] - many[0] < 0.2 * 1000 < few[1] - few[0]


@given(some.integers(1, 10_000), some.integers(3, 5_000), some.floats(0.001, 10_000))
def test_an_end_is_never_before_now_nor_its_range_upside_down(remaining: int, finished: int, seconds: float) -> None:
    found = eta(remaining, Window(finished, 0, seconds), 3)
    assert found is not None
    assert 0 < found[0] <= found[1] < float("inf")


@pytest.mark.parametrize("count", [3, 5, 10, 20])
def test_the_range_is_that_of_the_poisson_distribution(count: int) -> None:
    low, high = poisson_range(count)

    def at_most(k: int, mean: float) -> float:
        return sum(exp(-mean) * mean**i / factorial(i) for i in range(k + 1))

    assert at_most(count - 1, low) == pytest.approx(0.95, abs=0.01)
    assert at_most(count, high) == pytest.approx(0.05, abs=0.01)


# -- forecasts ----------------------------------------------------------------------------------------------------


def test_each_progress_is_forecast_once() -> None:
    watch = watched(progress(0, 0), progress(10, 5))
    told, notices = judged(watch, 10)
    (forecast,) = of(StageForecast, notices)
    assert (forecast.finished_in_window, forecast.failure_rate) == (5, 0)
    assert moment(10) < forecast.eta_low < moment(10 + 95 * 2) < forecast.eta_high
    assert judged(watch, 11, told) == (told, [])


def test_a_stage_that_stands_still_is_forecast_from_time_to_time_and_its_end_moves_away() -> None:
    watch = watched(progress(0, 0), progress(10, 5))
    told, first = judged(watch, 10)
    _, later = judged(watch, 10 + LIMITS.forecast_seconds, told)
    assert of(StageForecast, later)[0].eta_high > of(StageForecast, first)[0].eta_high


def test_a_soaking_stage_ends_when_its_soak_does() -> None:
    watch = watched(progress(0, 0), progress(10, 100, running=0, state=StageState.SOAKING))
    watch = changed(watch, soaks={0: 60})
    _, notices = judged(watch, 15)
    (forecast,) = of(StageForecast, notices)
    assert (forecast.eta_low, forecast.eta_high) == (moment(70), moment(70))


def test_notices_leave_numbers_to_who_says_them_and_stages_are_judged_apart() -> None:
    watch = watched(progress(0, 0), progress(0, 0, stage=1))
    told, notices = judged(watch, 1, Told(sequence=7))
    assert (len(notices), told.sequence, set(told.marks)) == (2, 7, {0, 1})


# -- alarms -------------------------------------------------------------------------------------------------------


def test_a_high_failure_rate_is_told_once_per_crossing() -> None:
    failing = watched(progress(0, 0), progress(10, 3, failed=2))
    told, notices = judged(failing, 10)
    (alarm,) = of(FailureRateHigh, notices)
    assert (alarm.failed_in_window, alarm.finished_in_window, alarm.failure_rate) == (2, 5, 0.4)
    told, notices = judged(watched(progress(0, 0), progress(11, 3, failed=3)), 11, told)
    assert of(FailureRateHigh, notices) == []


def test_the_alarm_is_set_anew_only_when_it_is_calm_and_not_when_it_is_merely_better() -> None:
    failing = watched(progress(0, 0), progress(10, 3, failed=2))
    told, _ = judged(failing, 10)
    better = watched(progress(0, 0), progress(10, 3, failed=2), progress(20, 12, failed=2))
    told, _ = judged(better, 20, told)
    assert told.marks[0].alarmed
    calm = watched(progress(0, 0), progress(10, 3, failed=2), progress(20, 30, failed=2))
    told, _ = judged(calm, 20, told)
    assert not told.marks[0].alarmed


def test_too_few_sites_raise_no_alarm() -> None:
    _, notices = judged(watched(progress(0, 0), progress(10, 0, failed=4)), 10)
    assert of(FailureRateHigh, notices) == []


# -- silence ------------------------------------------------------------------------------------------------------


def test_patience_follows_the_pace_of_the_stage() -> None:
    first = watched(progress(0, 0)).stages[0]
    quick = watched(progress(0, 0), progress(1, 1)).stages[0]
    slow = watched(progress(0, 0), progress(100, 1)).stages[0]
    assert patience(first, LIMITS) == LIMITS.silence_first_seconds
    assert patience(quick, LIMITS) == LIMITS.silence_seconds
    assert patience(slow, LIMITS) == 300


def test_a_silent_stage_is_told_once_and_again_after_it_spoke() -> None:
    watch = watched(progress(0, 0), progress(1, 1))
    told, notices = judged(watch, 62)
    (silent,) = of(StrategySilent, notices)
    assert (silent.silent_seconds, silent.running) == (61, 2)
    told, notices = judged(watch, 500, told)
    assert of(StrategySilent, notices) == []
    spoke = watched(progress(0, 0), progress(1, 1), progress(501, 2))
    assert len(of(StrategySilent, judged(spoke, 501 + 1501, told)[1])) == 1


@pytest.mark.parametrize(
    ("running", "state"), [(0, StageState.RUNNING), (2, StageState.SOAKING)], ids=["nothing runs", "soaks"]
)
def test_where_nothing_is_expected_nothing_is_missed(running: int, state: StageState) -> None:
    watch = watched(progress(0, 0), progress(1, 1, running=running, state=state))
    assert of(StrategySilent, judged(watch, 9_999)[1]) == []


def test_silence_is_not_judged_while_events_are_still_to_be_read() -> None:
    watch = watched(progress(0, 0), progress(1, 1))
    told, notices = judged(watch, 9_999, silence=False)
    assert of(StrategySilent, notices) == []
    assert len(of(StrategySilent, judged(watch, 9_999, told)[1])) == 1


def test_the_same_finding_has_the_same_identity_after_a_crash_and_another_one_has_not() -> None:
    watch = watched(progress(0, 0), progress(10, 3, failed=2))
    first, again = judged(watch, 700)[1], judged(watch, 701)[1]
    alarms = {n.identity for n in [*first, *again] if not isinstance(n.message, StageForecast)}
    assert alarms == {f"silent/s-1/0/{START + 10}"}
    limits = replace(LIMITS, window_seconds=1_000)
    found = assess(watch, Told(), limits, START + 700, judge_silence=True)[1]
    assert f"failing/s-1/0/{START + 10}" in {notice.identity for notice in found}


def test_a_stage_whose_last_site_hangs_has_no_end_in_sight_but_is_overdue() -> None:
    watch = watched(*(progress(n, n * 5, running=1) for n in range(1, 20)))
    (going,) = of(StageForecast, judged(watch, 19)[1])
    assert going.eta_high is not None
    assert not going.overdue
    (hung,) = of(StageForecast, judged(watch, 60)[1])
    assert hung.overdue
    assert hung.eta_low is hung.eta_high is None
