"""Prestages without any I/O: their course from every cut, what they plan, and what stays on sites."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.deployer.course import told_of
from services.deployer.domain import Deployment, Outcome, after, faults_of
from services.deployer.drivers import Item
from services.deployer.plan import Ground, Prepared, forward, order_for
from services.deployer.prestage.planning import plan_of
from services.deployer.prestage.policy import leaving, left_by
from shared.messages.deployer import Prestaged
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind
from tests.unit.deployer.values import NOW, content, facts, ground, operation, request, running
from tests.unit.deployer.walking import Device, Walk

VERSIONS = "123456"


def item(version: str, name: str, component: str = "web", kind: str = "package") -> Item:
    digest = f"{hash((version, name, kind)) & (2**256 - 1):064x}"
    return Item(component, kind, name, digest, 100)  # type: ignore[arg-type]


def prepared(version: str, *items: Item) -> Prepared:
    mine = items or (item(version, "wheel"), item(version, "image", kind="image"), item(version, "db", "db"))
    return Prepared("a" * 64, mine, sum(each.bytes for each in mine), NOW)


def lies(version: str, hours: int = 0, *, complete: bool = True) -> Prestaged:
    at = NOW + timedelta(hours=hours)
    return Prestaged(version=version, bundle_sha256="a" * 64, bytes=300, items=3, complete=complete, at=at)


def prestaging(deployment: Deployment, goes: tuple[str, ...] = ()) -> Ground:
    """Release 2 is to be prestaged, of components web and db."""
    under = ground(deployment, *(content(version, "web", "db") for version in VERSIONS))
    return replace(under, prepared={version: prepared(version) for version in VERSIONS}, leaving=goes)


def walk(under: Ground, cuts: frozenset[int] = frozenset(), cancel_at: int | None = None, **fates: str) -> Walk:
    device = Device({key.replace("__", "/"): fate for key, fate in fates.items()}, {"web": "1", "db": "1"})
    return Walk(operation(Kind.PRESTAGE, under.deployment.version, "2"), under, device, cuts, cancel_at)


def test_it_goes_through_its_phases_and_a_component_takes_part_in_several() -> None:
    going = walk(prestaging(running("1"), ("3",)))
    course, outcome = going.to_the_end()
    assert outcome is Outcome.SUCCEEDED
    assert [(p.name, p.component) for p in course.phases] == [
        ("precheck", ""),
        ("prepare", ""),
        ("packages", "web"),
        ("packages", "db"),
        ("images", "web"),
        ("clean", "web"),
        ("clean", "db"),
    ]
    assert len(set(going.device.begun)) == 5
    assert going.device.runs == {"web": "1", "db": "1"}


FATES = st.dictionaries(
    st.sampled_from(
        [f"{phase}__{name}" for phase in ("fetch_packages", "fetch_images", "discard") for name in ("web", "db")]
    ),
    st.sampled_from(["broken", "hang"]),
    max_size=3,
)
STANDS = st.sampled_from(
    [
        Deployment(),
        running("1"),
        running("1", "0"),
        Deployment("1", Status.UPDATE_ERROR, ("4",)),
        Deployment(None, Status.REMOVED),
    ]
)


@given(FATES, STANDS, st.frozensets(st.integers(1, 40), max_size=5), st.none() | st.integers(0, 12))
def test_however_it_ends_what_is_deployed_is_as_it_was(
    fates: dict[str, str], stands: Deployment, cuts: frozenset[int], cancel_at: int | None
) -> None:
    under = prestaging(stands, ("3",))
    going = walk(under, cuts, cancel_at, **fates)
    course, outcome = going.to_the_end()
    assert outcome in (Outcome.SUCCEEDED, Outcome.UNTOUCHED)
    assert after(stands, going.operation, outcome, 20) == stands
    assert going.device.runs == {"web": "1", "db": "1"}
    assert len(going.device.begun) == len(set(going.device.begun)), "an order was begun twice"
    left = left_by(going.operation, under, course, NOW)
    assert [each.version for each in left if each.complete] in ([], ["2"])
    assert outcome is not Outcome.SUCCEEDED or [each.version for each in left] == ["2"]


@given(st.sampled_from(["broken", "hang"]), st.frozensets(st.integers(1, 40), max_size=5))
def test_a_cleaning_that_fails_is_told_and_leaves_a_success_that_the_next_prestage_cleans(
    fate: str, cuts: frozenset[int]
) -> None:
    there = replace(running("1"), prestaged=(lies("3", -1),))
    under = prestaging(there, ("3",))
    going = walk(under, cuts, discard__web=fate)
    course, outcome = going.to_the_end()
    assert outcome is Outcome.SUCCEEDED
    told = {(each.name, each.component): each.outcome for each in told_of(course)}
    assert (told["clean", "web"], told["clean", "db"]) == ("failed", "done")
    left = left_by(going.operation, under, course, NOW)
    assert [(each.version, each.complete) for each in left] == [("3", False), ("2", True)]
    assert leaving(replace(there, prestaged=left), "2", 1) == ("3",)


def test_a_cleaning_that_goes_well_is_not_told() -> None:
    course, _ = walk(prestaging(running("1"), ("3",))).to_the_end()
    assert told_of(course) == ()


@given(FATES, st.frozensets(st.integers(1, 40), max_size=5))
def test_from_every_cut_it_comes_to_the_same_end(fates: dict[str, str], cuts: frozenset[int]) -> None:
    under = prestaging(running("1"))
    whole, cut = walk(under, **fates), walk(under, cuts, **fates)
    (one, ended), (other, ended_after_cuts) = whole.to_the_end(), cut.to_the_end()
    assert ended is ended_after_cuts
    assert (one.cause and one.cause.code) == (other.cause and other.cause.code)
    assert set(cut.device.begun) >= set(whole.device.begun)


# -- what stays ---------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from(VERSIONS), st.integers(0, 9)), unique_by=lambda each: each[0]),
    st.lists(st.sampled_from(VERSIONS), unique=True, max_size=3),
    st.sampled_from(VERSIONS),
    st.integers(1, 4),
)
def test_what_runs_comes_or_is_the_way_back_never_goes_and_the_newest_stay(
    there: list[tuple[str, int]], history: list[str], target: str, keep: int
) -> None:
    current = history[-1:] or [None]
    prestaged = tuple(lies(version, hours) for version, hours in there)
    status = Status.OPERATIONAL if history else Status.NEW
    deployment = Deployment(current[0], status, (), tuple(history[:-1]), prestaged)
    goes = leaving(deployment, target, keep)
    in_use = {target, *history[-2:]}
    assert not set(goes) & in_use
    stays = [each for each in prestaged if each.version not in {*goes, *in_use}]
    assert len(stays) <= keep - 1
    gone = [each for each in prestaged if each.version in goes]
    assert all(one.at >= other.at for one in stays for other in gone)


def test_content_that_another_release_or_another_app_needs_does_not_go() -> None:
    shared, needed, own = item("x", "shared"), item("y", "needed"), item("z", "own")
    under = prestaging(running("1"), ("3",))
    known = {**under.prepared, "3": prepared("3", shared, needed, own), "1": prepared("1", shared)}
    under = replace(under, prepared=known, needed=frozenset({needed.sha256}))
    way = plan_of(operation(Kind.PRESTAGE, "1", "2"), under, lambda *_: True, "")
    gone = [each for each in way.plan if each.action == "discard"]
    assert [each.component for each in gone] == ["web"]
    assert order_for(operation(Kind.PRESTAGE, "1", "2"), under, "forward", gone[0], "2").items == (own,)


def test_an_interrupted_prestage_leaves_what_was_whole_before_whole() -> None:
    under = prestaging(replace(running("1"), prestaged=(lies("2"),)))
    going = walk(under, fetch_packages__web="broken")
    course, _ = going.to_the_end()
    assert left_by(going.operation, under, course, NOW) == (lies("2"),)


# -- what plans say -----------------------------------------------------------------------------------------------


def test_a_plan_says_what_is_missing_and_why_a_phase_has_nothing_to_do() -> None:
    under = prestaging(replace(running("1"), prestaged=(lies("1"),)))
    both = {**under.prepared, "2": prepared("2", item("1", "wheel"), item("2", "new"))}
    way = plan_of(operation(Kind.PRESTAGE, "1", "2"), replace(under, prepared=both), lambda *_: True, "")
    assert [(each.action, each.component) for each in way.plan] == [
        ("fetch_packages", "web"),
        ("skip", "web"),
        ("skip", "db"),
    ]
    assert way.plan[0].reason == "2 packages, 200 bytes; 100 bytes are missing"
    assert way.plan[1].reason == "images: the release brings no images"
    assert way.without["images"] == "the release brings no images"
    none = plan_of(operation(Kind.PRESTAGE, "1", "2"), under, lambda _, verb: verb != "fetch", "")
    assert {each.action for each in none.plan} == {"skip"}
    assert none.without["packages"] == "the driver simulated sends none beforehand"


def test_a_later_update_says_that_its_content_lies_there_and_hands_it_on() -> None:
    under = prestaging(replace(running("1"), prestaged=(lies("2"), lies("3", complete=False))))
    update = operation(Kind.UPDATE, "1", "2")
    (web, _) = forward(update, under, [])
    assert web.reason == "release 2 was not here before; prestaged 2026-01-01 00:00 UTC"
    assert {i.name for i in order_for(update, under, "forward", web, "2").items} == {"wheel", "image"}
    (web, _) = forward(operation(Kind.UPDATE, "1", "3"), under, [])
    assert "prestaged" not in web.reason
    assert order_for(operation(Kind.UPDATE, "1", "3"), under, "forward", web, "3").items == ()


def test_it_needs_no_upgrade_edge_and_may_go_wherever_the_app_stands() -> None:
    for stands in (Deployment(), running("1"), running("2"), Deployment("1", Status.REMOVE_ERROR)):
        asked = request("prestage", "2")
        assert faults_of(asked, facts(asked, stands)) == ()
