"""Apps that need each other, so that none could be the first, are found when the last of them is published."""

from hypothesis import given
from hypothesis import strategies as st

from services.catalog.dependencies import Needing, fault_of_cycle, newest, orders_anything
from shared.messages.rules import Alternatives, Dependency


def release(app: str, version: str = "1.0", *needs: Dependency | Alternatives | str) -> Needing:
    wanted = tuple(Dependency(app=need) if isinstance(need, str) else need for need in needs)
    return Needing(app, version, "pep440", wanted)


def cycle(new: Needing, *others: Needing) -> list[str] | None:
    known: dict[str, list[Needing]] = {}
    for other in others:
        known.setdefault(other.app, []).append(other)
    fault = fault_of_cycle(new, known)
    return fault.value if fault else None


def test_an_app_that_needs_itself_is_a_cycle() -> None:
    assert cycle(release("a", "1.0", "a")) == ["a", "a"]


def test_a_cycle_is_named_whole() -> None:
    others = release("b", "1.0", "c"), release("c", "1.0", "x", "a"), release("x")
    assert cycle(release("a", "2.0", "b"), *others) == ["a", "b", "c", "a"]
    fault = fault_of_cycle(release("a", "2.0", "b"), {o.app: [o] for o in others})
    assert fault is not None
    assert "a 2.0 needs b 1.0 needs c 1.0 needs a 2.0" in fault.message


def test_an_app_that_is_not_there_yet_makes_no_cycle() -> None:
    assert cycle(release("a", "1.0", "b")) is None


def test_the_newest_release_in_the_range_counts() -> None:
    old, new = release("b", "1.0", "a"), release("b", "2.0")
    assert cycle(release("a", "1.0", "b"), old, new) is None
    assert cycle(release("a", "1.0", Dependency(app="b", versions="<2")), old, new) == ["a", "b", "a"]


def test_what_needs_an_older_release_of_the_app_needs_not_this_one() -> None:
    first = release("a", "1.0")
    other = release("b", "1.0", Dependency(app="a", versions="<2"))
    assert cycle(release("a", "2.0", "b"), first, other) is None


def test_one_alternative_that_does_not_lead_back_is_enough() -> None:
    either = Alternatives(any_of=(Dependency(app="b"), Dependency(app="c")))
    b, c = release("b", "1.0", "a"), release("c")
    assert cycle(release("a", "1.0", either), b, c) is None
    assert cycle(release("a", "1.0", either), b, release("c", "1.0", "a")) == ["a", "b", "a"]


def test_what_only_warns_orders_nothing() -> None:
    warns = Dependency(app="b", action="warn")
    assert cycle(release("a", "1.0", warns), release("b", "1.0", "a")) is None
    assert not orders_anything(release("a", "1.0", warns))


def test_versions_that_cannot_be_read_are_not_the_newest() -> None:
    odd = Needing("b", "what", "pep440")
    assert newest([odd, release("b", "1.0")], None) == release("b", "1.0")


APPS = st.sampled_from("abcdef")


@given(st.lists(st.tuples(APPS, st.sets(APPS, max_size=3)), max_size=12))
def test_what_was_published_one_after_the_other_can_be_deployed_in_some_order(
    published: list[tuple[str, set[str]]],
) -> None:
    known: dict[str, list[Needing]] = {}
    for number, (app, needs) in enumerate(published):
        new = release(app, f"{number}.0", *sorted(needs))
        if fault_of_cycle(new, known) is None:
            known.setdefault(app, []).append(new)
    last = {app: releases[-1] for app, releases in known.items()}
    there: set[str] = set()
    for _ in last:
        there |= {a for a, r in last.items() if all(d.app in there or d.app not in last for d in r.depends_on)}  # type: ignore[union-attr]
    assert there == set(last)
