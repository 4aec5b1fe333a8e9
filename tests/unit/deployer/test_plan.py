"""The plan per component: which way, and why."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.deployer import plan
from services.deployer.domain import Deployment
from services.deployer.plan import Content, Ground, Plan
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind
from tests.support.components import for_driver, simulated
from tests.unit.deployer.values import content, ground, operation, recorded, running

ONE, TWO = content("1", "web", "db"), content("2", "web", "cache")


def ways(planned: Plan) -> dict[str, str]:
    return {way.component: way.action for way in planned}


def test_a_release_that_was_never_here_is_applied_and_what_it_lacks_is_removed() -> None:
    planned = plan.forward(operation(Kind.UPDATE, "1", "2"), ground(running("1"), ONE, TWO), [])
    assert ways(planned) == {"web": "apply", "cache": "apply", "db": "remove"}
    assert {way.reason for way in planned} == {"release 2 was not here before", "not part of release 2"}


def test_a_release_that_was_here_is_rolled_back_to_where_its_revision_still_exists() -> None:
    here = recorded(ONE)
    planned = plan.forward(operation(Kind.ROLLBACK, "2", "1"), ground(running("2"), ONE, TWO, records=here), here[:1])
    assert ways(planned) == {"web": "rollback", "db": "apply", "cache": "remove"}
    assert planned[0].revision == "r1"
    assert "its revision r1 is gone" in planned[1].reason


def test_a_rollback_stays_one_where_its_site_does_not_say_whether_it_still_has_the_revision() -> None:
    here = recorded(ONE)
    silent = replace(ground(running("2"), ONE, TWO, records=here), silent=frozenset(here))
    planned = plan.forward(operation(Kind.ROLLBACK, "2", "1"), silent, [])
    assert ways(planned) == {"web": "rollback", "db": "rollback", "cache": "remove"}
    assert planned[0].reason == f"release 1 was here before, as revision r1, {plan.UNSAID}"


def test_nothing_is_kept_of_which_its_site_does_not_say_whether_it_still_has_it() -> None:
    same, other = content("1", "web", files="same"), content("2", "web", files="same")
    here = recorded(same)
    silent = replace(ground(running("1"), same, other, records=here), silent=frozenset(here))
    assert ways(plan.forward(operation(Kind.UPDATE, "1", "2"), silent, [])) == {"web": "apply"}


def test_no_driver_is_asked_of_a_component_that_was_switched_off_while_its_release_stayed() -> None:
    ran, update = content("1", "web"), operation(Kind.UPDATE, "1", "2")
    here = [*recorded(ran), *recorded(content("1", "extra"))]
    under = ground(running("1"), ran, content("2", "web", "extra"), records=here)
    assert plan.questions(update, under, "2") == here[:1]
    assert plan.questions(update, under, "1") == here[:1]
    assert ways(plan.forward(update, under, here[:1])) == {"web": "apply", "extra": "apply"}


def test_a_simplex_site_always_applies() -> None:
    here = recorded(ONE)
    simplex = ground(running("2"), ONE, TWO, records=here, simplex=True)
    planned = plan.forward(operation(Kind.ROLLBACK, "2", "1"), simplex, here)
    assert ways(planned) == {"web": "apply", "db": "apply", "cache": "remove"}
    assert planned[0].reason == "a simplex site always applies"


def test_a_component_with_the_very_same_content_is_kept() -> None:
    same, other = content("1", "web", files="same"), content("2", "web", files="same")
    here = recorded(same)
    planned = plan.forward(operation(Kind.UPDATE, "1", "2"), ground(running("1"), same, other, records=here), here)
    assert ways(planned) == {"web": "keep"}


def test_nothing_is_kept_on_a_site_that_is_not_sound_nor_when_all_is_asked_for_afresh() -> None:
    same, other = content("1", "web", files="same"), content("2", "web", files="same")
    here = recorded(same)
    broken = Deployment("1", Status.UPDATE_ERROR, ("2",))
    unsound = plan.forward(operation(Kind.UPDATE, "1", "2"), ground(broken, same, other, records=here), here)
    afresh = plan.forward(operation(Kind.APPLY, "1", "2"), ground(running("1"), same, other, records=here), here)
    assert ways(unsound) == ways(afresh) == {"web": "apply"}


def test_removal_takes_away_everything_that_may_lie_there() -> None:
    half = Deployment("1", Status.UPDATE_ERROR, ("2",))
    planned = plan.forward(operation(Kind.REMOVE, "1", None), ground(half, ONE, TWO), [])
    assert ways(planned) == {"web": "remove", "db": "remove", "cache": "remove"}


def test_what_a_release_was_tried_with_and_left_half_done_goes_with_a_removal_a_recovery_or_the_next_release() -> None:
    half = Deployment("1", Status.APPLY_ERROR)
    under = replace(ground(half, ONE, TWO), tried=[content("1", "web", "extra")])
    for kind, version in ((Kind.REMOVE, None), (Kind.RECOVER, "1"), (Kind.UPDATE, "2")):
        asked = operation(kind, "1", version)
        (extra,) = [way for way in plan.forward(asked, under, []) if way.component == "extra"]
        assert extra.action == "remove"
        order = plan.order_for(asked, under, "forward", extra, version)
        assert (order.action, order.component.name) == ("remove", "extra")
    assert ways(plan.recovery(operation(Kind.UPDATE, "1", "2"), under, [], ()))["extra"] == "remove"


def test_the_way_back_restores_the_old_release_and_takes_away_what_only_the_new_one_has() -> None:
    here = recorded(ONE)
    under = ground(running("1"), ONE, TWO, records=here)
    failed = plan.forward(operation(Kind.UPDATE, "1", "2"), under, here)
    back = plan.recovery(operation(Kind.UPDATE, "1", "2"), under, here, failed)
    assert ways(back) == {"web": "rollback", "db": "rollback", "cache": "remove"}


def test_the_way_back_from_a_first_apply_leads_to_nothing() -> None:
    first = operation(Kind.APPLY, None, "1")
    under = ground(Deployment(), ONE)
    back = plan.recovery(first, under, [], plan.forward(first, under, []))
    assert ways(back) == {"web": "remove", "db": "remove"}


def test_what_was_not_touched_is_left_alone_on_the_way_back() -> None:
    old, new = content("1", "web", "db", files="same"), content("2", "web", "db", files="same")
    here = recorded(old, "db")
    under = ground(running("1"), old, new, records=here)
    failed = plan.forward(operation(Kind.UPDATE, "1", "2"), under, here)
    assert ways(failed) == {"web": "apply", "db": "keep"}
    back = plan.recovery(operation(Kind.UPDATE, "1", "2"), under, here, failed)
    assert ways(back) == {"web": "apply", "db": "keep"}


def test_an_operation_that_cannot_be_carried_out_is_not_begun() -> None:
    gone = plan.obstacle(operation(Kind.UPDATE, "1", "2"), ground(running("1"), ONE), {"simulated"})
    assert gone
    assert gone.code == "unknown_release"
    alone = plan.obstacle(operation(Kind.UPDATE, "1", "2"), ground(running("1"), ONE, TWO), {"process"})
    assert alone
    assert alone.code == "driver_unavailable"
    assert plan.obstacle(operation(Kind.UPDATE, "1", "2"), ground(running("1"), ONE, TWO), {"simulated"}) is None


NAMES = st.lists(st.sampled_from(["web", "db", "cache", "queue"]), min_size=1, unique=True)


@st.composite
def grounds(draw: st.DrawFn) -> Ground:
    old, new, half = content("1", *draw(NAMES)), content("2", *draw(NAMES)), content("3", *draw(NAMES))
    status = draw(st.sampled_from([Status.OPERATIONAL, Status.UPDATE_ERROR]))
    deployment = Deployment("1", status, () if status is Status.OPERATIONAL else ("3",))
    records = draw(st.lists(st.sampled_from(recorded(old) + recorded(new)), unique=True))
    contents = [old, new] + ([half] if deployment.leftovers else [])
    return ground(deployment, *contents, records=records, simplex=draw(st.booleans()))


@given(grounds(), st.sampled_from([Kind.APPLY, Kind.UPDATE, Kind.ROLLBACK]), st.data())
def test_every_plan_ends_with_exactly_the_components_of_its_release(
    ground: Ground, kind: Kind, data: st.DataObject
) -> None:
    asked = operation(kind, "1", "2")
    existing = data.draw(st.sets(st.sampled_from(ground.recorded)) if ground.recorded else st.just(set()))
    there = plan.forward(asked, ground, list(existing))
    assert left_by(there, ground) == set(ground.contents["2"].components)
    back = plan.recovery(asked, ground, list(existing), there)
    assert left_by(back, ground) == set(ground.contents["1"].components)
    for way in (*there, *back):
        if way.action == "rollback":
            assert any(r.component == way.component and r.revision == way.revision for r in existing)
            assert not ground.site.simplex
        assert way.reason


def left_by(planned: Plan, ground: Ground) -> set[str]:
    """What runs after a plan, if everything runs before it that may."""
    may_run = {name for each in ground.contents.values() for name in each.components}
    removed = {way.component for way in planned if way.action == "remove"}
    assert len({way.component for way in planned}) == len(planned)
    return may_run - removed


def test_content_knows_when_its_definition_or_its_files_change() -> None:
    digests = {content("1", "web", files=files).digests["web"] for files in ("a", "b")}
    assert len(digests) == 2
    assert isinstance(content("1", "web"), Content)


def test_a_component_of_the_same_files_and_spec_is_kept_by_a_release_of_another_bundle() -> None:
    def made(version: str, files: str | None) -> Content:
        return Content.of(version, f"bundle-{version}", [replace(for_driver(simulated("web")), files_sha256=files)])

    assert made("1", "f").digests == made("2", "f").digests
    assert made("1", "f").digests != made("2", "g").digests
    assert made("1", None).digests != made("2", None).digests
