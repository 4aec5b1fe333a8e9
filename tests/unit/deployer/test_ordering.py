"""Components come in their order: each after those it names, back and away in reverse, never more at once than may."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.deployer.domain import Deployment, Outcome
from services.deployer.drivers import Order, Progress
from services.deployer.ordering import FREE, ordering_of
from services.deployer.phases import Leg
from services.deployer.plan import Content, decision
from shared.messages.words import OperationKind as Kind
from tests.support.components import for_driver, simulated
from tests.unit.deployer.values import ground, operation, recorded, running
from tests.unit.deployer.walking import Device, Walk

NAMES = ("a", "b", "c", "d", "e", "f")


def content(version: str, after: dict[str, list[str]], max_parallel: int | None = None) -> Content:
    parts = [for_driver(simulated(name, *before, seed=int(version))) for name, before in after.items()]
    return Content.of(version, version, parts, max_parallel)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Components in any order of naming, each after some of those that were drawn before: no circle."""
    names = draw(st.permutations(NAMES[: draw(st.integers(1, len(NAMES)))]))
    after = {name: draw(st.lists(st.sampled_from(names[:n]), unique=True)) if n else [] for n, name in enumerate(names)}
    return {name: after[name] for name in sorted(names)}


@dataclass
class Watched(Device):
    """A device that keeps the order of things: when each order began, and when it ended."""

    story: list[tuple[str, str]] = field(default_factory=list)
    most: int = 0

    def start(self, orders: tuple[Order, ...], now: int) -> None:
        fresh = [order.key for order in orders if order.key not in self.known]
        super().start(orders, now)
        self.story += [("begins", key.removeprefix("op/")) for key in fresh]

    def poll(self, orders: tuple[Order, ...], now: int) -> list[Progress]:
        before = {key for key, known in self.known.items() if isinstance(known, int)}
        self.most = max(self.most, len(before))
        answers = super().poll(orders, now)
        after = {key for key, known in self.known.items() if isinstance(known, int)}
        self.story += [("ends", key.removeprefix("op/")) for key in sorted(before - after)]
        assert len(answers) == len(orders)
        return answers

    def begun_before_the_end_of(self, leg: str, first: str, second: str) -> bool:
        """Whether `second` began before `first` had ended, where both came about at all."""
        begins, ends = ("begins", f"{leg}/{second}"), ("ends", f"{leg}/{first}")
        return begins in self.story and (ends not in self.story or self.story.index(begins) < self.story.index(ends))


def pairs(after: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Who comes before whom."""
    return [(first, second) for second, before in after.items() for first in before]


CUTS = st.frozensets(st.integers(1, 60), max_size=3)


@settings(deadline=None, max_examples=150)
@given(graphs(), CUTS, st.none() | st.integers(1, 3))
def test_each_comes_after_those_it_names_and_never_more_at_once_than_may(
    after: dict[str, list[str]], cuts: frozenset[int], at_once: int | None
) -> None:
    device = Watched({}, {})
    release = content("2", after, at_once)
    walk = Walk(operation(Kind.APPLY, None, "2"), ground(Deployment(), release), device, cuts)
    assert walk.to_the_end()[1] is Outcome.SUCCEEDED
    assert set(device.runs) == set(after)
    assert not [
        (a, b) for b, before in after.items() for a in before if device.begun_before_the_end_of("forward", a, b)
    ]
    assert device.most <= (at_once or len(after))
    assert len(device.begun) == len(set(device.begun))


@settings(deadline=None, max_examples=100)
@given(graphs(), st.data())
def test_the_way_back_is_the_reverse(after: dict[str, list[str]], data: st.DataObject) -> None:
    old, new = content("1", after), content("2", after)
    broken = data.draw(st.sampled_from(sorted(after)))
    device = Watched({f"forward/{broken}": "broken"}, dict.fromkeys(after, "1"))
    walk = Walk(operation(Kind.UPDATE, "1", "2"), ground(running("1"), old, new, records=recorded(old)), device)
    assert walk.to_the_end()[1] is Outcome.RECOVERED
    assert device.runs == dict.fromkeys(after, "1")
    assert not [
        (a, b) for b, before in after.items() for a in before if device.begun_before_the_end_of("recover", b, a)
    ]


@settings(deadline=None, max_examples=100)
@given(graphs(), st.data())
def test_components_go_in_reverse(after: dict[str, list[str]], data: st.DataObject) -> None:
    kept = data.draw(st.sampled_from([None, "2"]))
    stay = sorted(after)[:1] if kept else []
    old, new = content("1", after), content("2", {name: [] for name in stay})
    device = Watched({}, dict.fromkeys(after, "1"))
    kind = Kind.UPDATE if kept else Kind.REMOVE
    walk = Walk(operation(kind, "1", kept), ground(running("1"), old, new), device)
    assert walk.to_the_end()[1] is Outcome.SUCCEEDED
    gone = after.keys() - stay
    going = [(a, b) for a, b in pairs(after) if {a, b} <= gone]
    assert not [(a, b) for a, b in going if device.begun_before_the_end_of("forward", b, a)]


def test_independent_ones_go_side_by_side_and_wait_for_nobody_elses() -> None:
    device = Watched({"forward/slow": "hang"}, {})
    release = content("2", {"slow": [], "late": ["slow"], "quick": [], "next": ["quick"]})
    walk = Walk(operation(Kind.APPLY, None, "2", timeout=30), ground(Deployment(), release), device)
    walk.to_the_end()
    assert ("ends", "forward/next") in device.story
    assert ("begins", "forward/late") not in device.story


def test_one_that_stays_as_it_is_hands_the_order_on() -> None:
    old, new = content("1", {"a": [], "b": ["a"], "c": ["b"]}), content("2", {"a": [], "b": ["a"], "c": ["b"]})
    ways = {"a": "apply", "b": "keep", "c": "apply"}
    plan = tuple(decision(component=n, driver="simulated", action=a, reason="") for n, a in ways.items())
    assert ordering_of(plan, ground(running("1"), old, new), "2", Leg.FORWARD).waits == {"c": ("a",)}


def test_what_fails_names_those_that_were_never_begun_as_skipped() -> None:
    release = content("2", {"a": [], "b": ["a"], "c": []})
    walk = Walk(
        operation(Kind.APPLY, None, "2", timeout=5), ground(Deployment(), release), Device({"forward/a": "hang"}, {})
    )
    course, outcome = walk.to_the_end()
    assert outcome is Outcome.UNDONE
    forward = {phase.component: phase.outcome for phase in course.phases if phase.name == "deploy"}
    assert forward == {"a": "failed", "b": "skipped", "c": "done"}


@pytest.mark.parametrize("after", [{"a": []}, {"a": [], "b": []}])
def test_without_an_order_nothing_is_reckoned(after: dict[str, list[str]]) -> None:
    plan = tuple(decision(component=n, driver="simulated", action="apply", reason="") for n in after)
    assert ordering_of(plan, ground(Deployment(), content("2", after)), "2", Leg.FORWARD) is FREE


def test_an_order_that_nobody_could_publish_still_ends() -> None:
    release = content("2", {"a": ["b"], "b": ["a"]})
    walk = Walk(operation(Kind.APPLY, None, "2"), ground(Deployment(), release), Device({}, {}))
    assert walk.to_the_end()[1] is Outcome.SUCCEEDED
