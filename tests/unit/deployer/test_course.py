"""The course of an operation: through its phases, back when it fails, and to the same end from every cut."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.deployer import course as courses
from services.deployer.course import Course
from services.deployer.domain import Deployment, Outcome
from services.deployer.drivers import Running
from services.deployer.ordering import FREE
from services.deployer.plan import Ground, forward
from services.deployer.store import _COURSE as COURSE_JSON
from shared.messages.deployer import ComponentProgress
from shared.messages.words import OperationKind as Kind
from tests.unit.deployer.values import content, ground, operation, recorded, running
from tests.unit.deployer.walking import Device, Walk

ONE, TWO = content("1", "web", "db"), content("2", "web", "cache")
FROM_ONE = {"web": "1", "db": "1"}
TO_TWO = {"web": "2", "cache": "2"}
ORDERS = ["forward/web", "forward/cache", "forward/db", "recover/web", "recover/db", "recover/cache"]


def update(under: Ground | None = None, **fates: str) -> Walk:
    """An update from 1 to 2; fates by leg and component, such as forward_web="broken"."""
    device = Device({key.replace("_", "/"): fate for key, fate in fates.items()}, dict(FROM_ONE))
    return Walk(
        operation(Kind.UPDATE, "1", "2"), under or ground(running("1"), ONE, TWO, records=recorded(ONE)), device
    )


def results(course: Course) -> list[tuple[str, str, str]]:
    return [(phase.name, phase.component, phase.outcome) for phase in course.phases]


def test_an_update_deploys_then_verifies_then_removes_what_is_not_wanted() -> None:
    walk = update()
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.SUCCEEDED
    assert walk.device.runs == TO_TWO
    assert results(course) == [
        ("precheck", "", "done"),
        ("deploy", "web", "done"),
        ("deploy", "cache", "done"),
        ("verify", "web", "done"),
        ("verify", "cache", "done"),
        ("remove", "db", "done"),
    ]


def test_while_it_lasts_it_is_told_what_drivers_do_and_nothing_that_steers_a_terminal() -> None:
    plan = forward(operation(Kind.UPDATE, "1", "2"), ground(running("1"), ONE, TWO), [])
    course, _ = courses.set_out(Kind.UPDATE, plan, FREE, datetime.now(UTC), timedelta(seconds=60))
    said = [Running("2 of 3 are \x1b[31mready", 66), Running("", 5)]
    assert courses.doing(course, said) == (
        ComponentProgress(component=course.plan[0].component, detail="2 of 3 are ready", percent=66),
    )
    assert courses.doing(course, ()) == ()


def test_a_component_that_fails_takes_the_others_back_with_it() -> None:
    walk = update(forward_cache="broken")
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.RECOVERED
    assert walk.device.runs == FROM_ONE
    assert course.cause
    assert course.cause.code == "failed"
    assert ("deploy", "cache", "failed") in results(course)
    assert ("recover_remove", "cache", "done") in results(course)


def test_a_removal_that_fails_brings_the_old_release_back() -> None:
    walk = update(forward_db="broken")
    assert walk.to_the_end()[1] is Outcome.RECOVERED
    assert walk.device.runs == FROM_ONE


def test_when_one_component_breaks_the_ones_that_hang_are_stopped_at_once() -> None:
    walk = update(forward_web="hang", forward_cache="broken")
    assert walk.to_the_end()[1] is Outcome.RECOVERED
    assert walk.now < 20


def test_a_hanging_device_is_ended_by_the_timeout() -> None:
    walk = update(forward_web="hang")
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.RECOVERED
    assert course.cause
    assert course.cause.code == "timeout"
    assert 60 <= walk.now < 80


def test_a_hanging_recovery_is_ended_too() -> None:
    walk = update(forward_web="broken", recover_web="hang")
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.LOST
    assert walk.now < 60 + 10 + 100 + 20
    assert course.cause
    assert course.cause.code == "failed"
    assert "then the recovery failed" in course.cause.message


def test_a_first_apply_that_fails_leaves_nothing() -> None:
    device = Device({"forward/web": "broken"}, {})
    walk = Walk(operation(Kind.APPLY, None, "1"), ground(Deployment(), ONE), device)
    assert walk.to_the_end()[1] is Outcome.UNDONE
    assert device.runs == {}


def test_a_recovery_that_fails_is_not_tried_again_by_itself() -> None:
    device = Device({"forward/web": "broken"}, {})
    walk = Walk(operation(Kind.RECOVER, "1", "1"), ground(running("1"), ONE), device)
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.LOST
    assert not any(key.startswith("op/recover") for key in device.begun)
    assert course.cause
    assert "not tried again" in course.cause.message


def test_an_operation_cancelled_before_it_began_touches_nothing() -> None:
    walk = update()
    walk.cancel_at = 0
    assert walk.to_the_end()[1] is Outcome.UNTOUCHED
    assert walk.device.begun == []


def test_a_cancelled_operation_goes_back() -> None:
    walk = update(forward_web="hang")
    walk.cancel_at = 5
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.RECOVERED
    assert course.cause
    assert course.cause.code == "cancelled"
    assert walk.device.runs == FROM_ONE


def test_what_a_dead_runner_may_have_begun_is_undone_when_the_operation_is_cancelled() -> None:
    walk = update()
    walk.cuts, walk.cancel_at = frozenset({2}), 1  # dead right after the start, cancelled a second later
    assert walk.to_the_end()[1] is Outcome.RECOVERED
    assert walk.device.begun[0] == "op/forward/web"
    assert walk.device.runs == FROM_ONE


def recovery(**facts: Any) -> Walk:
    """A recovery to 1 of a site on which nothing runs."""
    device = Device({}, {}, seconds=5)
    return Walk(operation(Kind.RECOVER, "1", "1"), ground(running("1"), ONE, records=recorded(ONE)), device, **facts)


def test_a_recovery_that_is_at_its_site_comes_to_its_end_whatever_anybody_wishes() -> None:
    walk = recovery(cancel_at=2)
    course, outcome = walk.to_the_end()
    assert (outcome, course.cause) == (Outcome.SUCCEEDED, None)
    assert walk.device.runs == FROM_ONE


def test_a_recovery_that_is_cancelled_while_it_fetches_leaves_everything_as_it_is() -> None:
    walk = recovery(cancel_at=2, fetching=frozenset({"web"}))
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.UNTOUCHED
    assert course.cause
    assert course.cause.code == "cancelled"
    assert not any("/forward/" in key for key in walk.device.begun)


def test_a_recovery_that_was_cancelled_and_taken_over_comes_to_its_end_too() -> None:
    walk = recovery(cuts=frozenset({2}), cancel_at=1)
    assert walk.to_the_end()[1] is Outcome.SUCCEEDED
    assert walk.device.runs == FROM_ONE


FATES = st.dictionaries(st.sampled_from(ORDERS), st.sampled_from(["done", "broken"]))
ALL_FATES = st.dictionaries(st.sampled_from(ORDERS), st.sampled_from(["done", "broken", "hang"]))
CUTS = st.frozensets(st.integers(1, 40), max_size=6)


@settings(deadline=None, max_examples=300)
@given(FATES, CUTS)
def test_from_every_cut_an_operation_comes_to_the_same_end(fates: dict[str, str], cuts: frozenset[int]) -> None:
    whole, torn = (Walk(op, under, Device(fates, dict(FROM_ONE))) for op, under in [_update()] * 2)
    torn.cuts = cuts
    assert torn.to_the_end()[1] is whole.to_the_end()[1]
    assert torn.device.runs == whole.device.runs
    assert sorted(torn.device.begun) == sorted(set(whole.device.begun))


@settings(deadline=None, max_examples=300)
@given(ALL_FATES, CUTS, st.none() | st.integers(0, 80))
def test_whatever_happens_an_operation_ends_and_the_site_is_as_it_says(
    fates: dict[str, str], cuts: frozenset[int], cancel_at: int | None
) -> None:
    walk = Walk(*_update(), Device(fates, dict(FROM_ONE)), cuts, cancel_at)
    outcome = walk.to_the_end()[1]
    expected = {Outcome.SUCCEEDED: TO_TWO, Outcome.RECOVERED: FROM_ONE, Outcome.UNTOUCHED: FROM_ONE}
    assert walk.device.runs == expected.get(outcome, walk.device.runs)
    assert len(walk.device.begun) == len(set(walk.device.begun))


@given(ALL_FATES)
@settings(deadline=None)
def test_a_saved_course_is_read_back_as_it_was(fates: dict[str, str]) -> None:
    course = Walk(*_update(), Device(fates, dict(FROM_ONE))).to_the_end()[0]
    stored = COURSE_JSON.dump_python(course, mode="json")
    assert COURSE_JSON.validate_python(stored) == replace(course, revisions=dict(course.revisions))


def _update() -> tuple[Any, Ground]:
    return operation(Kind.UPDATE, "1", "2"), ground(running("1"), ONE, TWO, records=recorded(ONE))


@pytest.mark.parametrize("kind", [Kind.APPLY, Kind.UPDATE, Kind.ROLLBACK, Kind.REMOVE])
def test_every_kind_goes_back_to_the_release_that_was_there(kind: Kind) -> None:
    target = None if kind is Kind.REMOVE else "2"
    device = Device({"forward/web": "broken"}, dict(FROM_ONE))
    walk = Walk(operation(kind, "1", target), ground(running("1"), ONE, TWO), device)
    assert walk.to_the_end()[1] is Outcome.RECOVERED
    assert device.runs == FROM_ONE
