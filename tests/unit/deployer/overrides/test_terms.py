"""With what an operation deploys, what it drops of its site, and what it leaves behind."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.domain import Outcome, Release, after
from services.deployer.overrides.judging import with_terms
from services.deployer.overrides.terms import PLAIN_TERMS, Terms, terms
from shared.messages.rules import Rules
from shared.messages.words import OperationKind as Kind
from shared.values.layers import Change, Layer, Place, in_order, read, together, written
from tests.unit.deployer.values import facts, operation, request, running

SET = ("fleet/web/3", "group:north/web/1", "site/db/2", "site/web/1")
levels = st.sampled_from(["fleet", "group", "site"])
names = st.from_regex(r"\A[a-z0-9]([a-z0-9._-]{0,8}[a-z0-9])?\Z")


@given(levels, names, names, st.integers(1, 10**9))
def test_a_change_is_read_as_it_was_written(level: str, target: str, component: str, nth: int) -> None:
    place = Place("shop", level, "" if level == "fleet" else "oslo" if level == "site" else target, component)
    assert read(written(place, nth), "shop", "oslo") == Change(place, nth, "")


@given(st.permutations(SET))
def test_levels_are_in_their_order_whoever_lists_them(some: list[str]) -> None:
    assert in_order(some) == SET


def test_the_strongest_level_wins_and_parts_count_for_what_they_are() -> None:
    def change(ref: str) -> Change:
        return read(ref, "shop", "oslo")

    layers = [
        (change("fleet/web/1"), Layer({"a": 1, "b": 1}, enabled=True, namespace="f")),
        (change("site/web/1/values"), Layer({"a": 2}, enabled=False)),
    ]
    assert together(layers).layers["web"] == Layer({"a": 2, "b": 1}, True, "f")
    layers[1] = (change("site/web/1/attributes"), layers[1][1])
    assert together(layers).layers["web"] == Layer({"a": 1, "b": 1}, False, "f")


def test_what_is_of_the_site_alone_is_dropped_in_the_parts_that_are_asked_for() -> None:
    assert terms(SET, drop_values=False, drop_attributes=False, only_changes=False) == Terms(SET)
    both = terms(SET, drop_values=True, drop_attributes=True, only_changes=False)
    assert (both.used, both.dropped) == (SET[:2], SET[2:])
    some = terms(SET[3:], drop_values=True, drop_attributes=False, only_changes=False)
    assert (some.used, some.dropped) == (("site/web/1/attributes",), ("site/web/1/values",))
    assert terms((), drop_values=True, drop_attributes=True, only_changes=False) is PLAIN_TERMS


@given(
    st.lists(st.sampled_from(SET), unique=True), st.booleans(), st.booleans(), st.booleans(),
    st.dictionaries(st.sampled_from(["reset_overrides", "reset_attributes"]), st.booleans()),
)  # fmt: skip
def test_terms_are_stored_and_read_as_they_were(
    some: list[str], values: bool, attributes: bool, changes: bool, asked: dict[str, bool]
) -> None:
    found = terms(some, drop_values=values, drop_attributes=attributes, only_changes=changes)
    found = Terms(found.used, found.dropped, found.only_changes, asked)
    assert Terms.of(found.stored() or {}) == found


@pytest.mark.parametrize(
    ("kind", "asked", "kept", "dropped"),
    [
        ("update", {}, True, ()),
        ("update", {}, False, SET[2:]),
        ("update", {"reset_overrides": True, "reset_attributes": True}, True, SET[2:]),
        ("update", {"reset_overrides": False, "reset_attributes": False}, False, ()),
        ("rollback", {}, False, ()),
    ],
)
def test_what_goes_over_is_as_was_asked_else_as_the_release_says(
    kind: str, asked: dict[str, Any], kept: bool, dropped: tuple[str, ...]
) -> None:
    target = Release("shop", "2", rules=Rules(keep_overrides=kept, keep_attributes=kept))
    known = facts(request(kind, "2", **asked), running("1"), set_now=SET, target=target)
    assert with_terms(request(kind, "2", **asked), known).terms.dropped == dropped


def test_recover_brings_what_was_set_before_and_remove_brings_nothing() -> None:
    there = running("1")
    there = type(there)(there.version, there.status, overrides={"1": ("fleet/web/1",)})
    for kind, used in (("recover", ("fleet/web/1",)), ("remove", ())):
        assert with_terms(request(kind), facts(request(kind), there, set_now=SET)).terms.used == used


def test_a_deployment_names_what_it_was_made_with_and_what_lies_half_done_as_well() -> None:
    there = running("1")
    update = operation(Kind.UPDATE, "1", "2")
    update = type(update)("op", "oslo", "shop", Kind.UPDATE, "1", "2", 60, terms=Terms(("fleet/web/2",)))
    done = after(there, update, Outcome.SUCCEEDED, 5)
    assert done.overrides == {"2": ("fleet/web/2",)}
    lost = after(done, type(update)("op", "oslo", "shop", Kind.UPDATE, "2", "3", 60), Outcome.LOST, 5)
    assert lost.overrides == {"2": ("fleet/web/2",)}
    assert after(lost, update, Outcome.RECOVERED, 5).overrides == {"2": ("fleet/web/2",)}
    assert after(done, operation(Kind.REMOVE, "2", None), Outcome.SUCCEEDED, 5).overrides == {}
