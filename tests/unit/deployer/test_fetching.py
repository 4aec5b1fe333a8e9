"""What is brought from elsewhere is had before anything is touched, and left where it is where nobody turns back."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.deployer import course as courses
from services.deployer.course import Next
from services.deployer.domain import Outcome, after
from services.deployer.drivers import Running
from services.deployer.ordering import FREE
from services.deployer.plan import fetch_order, forward
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind
from tests.unit.deployer.values import LIMITS, NOW, content, ground, operation, recorded, running
from tests.unit.deployer.walking import Device, Walk

ONE, TWO = content("1", "web", "db"), content("2", "web", "cache")
FROM_ONE = {"web": "1", "db": "1"}
TO_TWO = {"web": "2", "cache": "2"}


def update(fates: dict[str, str] | None = None, fetching: frozenset[str] = frozenset({"web", "cache"})) -> Walk:
    """An update from 1 to 2 whose components in `fetching` come from elsewhere."""
    under = ground(running("1"), ONE, TWO, records=recorded(ONE))
    return Walk(operation(Kind.UPDATE, "1", "2"), under, Device(fates or {}, dict(FROM_ONE)), fetching=fetching)


def test_all_is_fetched_before_anything_is_deployed() -> None:
    walk = update()
    assert walk.to_the_end()[1] is Outcome.SUCCEEDED
    assert walk.device.begun[:2] == ["op/fetch/web", "op/fetch/cache"]
    assert walk.device.runs == TO_TWO


def test_only_what_comes_from_elsewhere_is_fetched() -> None:
    walk = update(fetching=frozenset({"cache"}))
    assert walk.to_the_end()[1] is Outcome.SUCCEEDED
    assert [key for key in walk.device.begun if key.startswith("op/fetch")] == ["op/fetch/cache"]


def test_what_cannot_be_fetched_leaves_the_old_release_untouched() -> None:
    walk = update({"fetch/cache": "broken"})
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.UNTOUCHED
    assert walk.device.runs == FROM_ONE
    assert set(walk.device.begun) == {"op/fetch/web", "op/fetch/cache"}
    assert course.cause
    assert "cache" in course.cause.message


def test_a_download_that_hangs_ends_with_the_time_and_touches_nothing() -> None:
    walk = update({"fetch/web": "hang"})
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.UNTOUCHED
    assert course.cause
    assert "web was still under way" in course.cause.message
    assert walk.device.runs == FROM_ONE


def test_one_cancelled_while_it_fetches_touches_nothing() -> None:
    walk = update({"fetch/web": "hang"})
    walk.cancel_at = 5
    assert walk.to_the_end()[1] is Outcome.UNTOUCHED
    assert walk.device.runs == FROM_ONE


def test_a_recovery_whose_content_cannot_be_had_leaves_all_as_it_is() -> None:
    under = ground(replace(running("1"), status=Status.UPDATE_ERROR), ONE, records=recorded(ONE))
    device = Device({"fetch/db": "broken"}, {"web": "2", "db": "1"})
    walk = Walk(operation(Kind.RECOVER, "1", "1"), under, device, fetching=frozenset({"web", "db"}))
    assert walk.to_the_end()[1] is Outcome.UNTOUCHED
    assert (device.runs, set(device.begun)) == ({"web": "2", "db": "1"}, {"op/fetch/web", "op/fetch/db"})
    assert after(under.deployment, walk.operation, Outcome.UNTOUCHED, 20).status is Status.UPDATE_ERROR


def test_a_fetch_names_the_bundle_of_what_runs_where_the_component_is_in_it() -> None:
    under = ground(running("1"), ONE, TWO, records=recorded(ONE))
    asked = operation(Kind.UPDATE, "1", "2")
    named = {way.component: fetch_order(asked, under, way, "2").back_sha256 for way in forward(asked, under, [])[:2]}
    assert named == {"web": ONE.bundle_sha256, "cache": None}


FATES = st.dictionaries(
    st.sampled_from(["fetch/web", "fetch/cache", "forward/web", "forward/cache", "forward/db", "recover/web"]),
    st.sampled_from(["done", "broken"]),
)
ANY_FATES = st.dictionaries(
    st.sampled_from(["fetch/web", "fetch/cache", "forward/web", "forward/cache", "recover/web"]),
    st.sampled_from(["done", "broken", "hang"]),
)
CUTS = st.frozensets(st.integers(1, 40), max_size=6)


@settings(deadline=None, max_examples=200)
@given(FATES, CUTS)
def test_from_every_cut_it_comes_to_the_same_end(fates: dict[str, str], cuts: frozenset[int]) -> None:
    whole, torn = update(fates), update(fates)
    torn.cuts = cuts
    assert torn.to_the_end()[1] is whole.to_the_end()[1]
    assert torn.device.runs == whole.device.runs
    assert sorted(torn.device.begun) == sorted(set(whole.device.begun))


@settings(deadline=None, max_examples=200)
@given(ANY_FATES, CUTS, st.none() | st.integers(0, 80))
def test_whatever_happens_the_site_is_as_it_says(
    fates: dict[str, str], cuts: frozenset[int], cancel_at: int | None
) -> None:
    walk = update(fates)
    walk.cuts, walk.cancel_at = cuts, cancel_at
    outcome = walk.to_the_end()[1]
    expected = {Outcome.SUCCEEDED: TO_TWO, Outcome.RECOVERED: FROM_ONE, Outcome.UNTOUCHED: FROM_ONE}
    assert walk.device.runs == expected.get(outcome, walk.device.runs)
    assert len(walk.device.begun) == len(set(walk.device.begun))


def test_one_that_is_not_to_be_turned_back_stays_where_it_failed() -> None:
    walk = update({"forward/cache": "broken"}, frozenset())
    walk.operation = replace(walk.operation, recover="never")
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.LOST
    assert walk.device.runs == {"web": "2", "db": "1"}
    assert course.cause
    assert "recover: never" in course.cause.message
    left = after(walk.ground.deployment, walk.operation, outcome, 20)
    assert (left.version, left.status, left.leftovers) == ("1", Status.UPDATE_ERROR, ("2",))


def test_a_component_that_takes_longer_than_its_own_time_is_named() -> None:
    plan = forward(operation(Kind.UPDATE, "1", "2"), ground(running("1"), ONE, TWO), [])
    course, _ = courses.set_out(Kind.UPDATE, plan, FREE, NOW, timedelta(seconds=600))
    asked, bounds = [Running("waits for its port"), Running("starts")], {"web": 20}
    early, late = NOW + timedelta(seconds=19), NOW + timedelta(seconds=21)
    assert courses.advance(course, asked, early, None, LIMITS, bounds)[1] is Next.WAIT
    stopped, todo = courses.advance(course, asked, late, None, LIMITS, bounds)
    assert todo is Next.STOP
    assert stopped.cause
    assert stopped.cause.message == "web was not ready after 20 s, when its own time was up: waits for its port"
