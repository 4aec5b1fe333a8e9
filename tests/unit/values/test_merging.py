"""Values over values: what wins, what goes, where it came from, what differs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.merging import changes, filled, onto, origins, over, secrets_in

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
keys = st.sampled_from(["a", "b", "c", "secret", "x.y"])
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
values = st.dictionaries(keys, anything, max_size=4)


def test_mappings_are_merged_deeply_lists_are_replaced_and_null_takes_a_key_away() -> None:
    release = {"image": {"tag": "1", "pull": "always"}, "hosts": ["a", "b"], "debug": True}
    overrides = {"image": {"tag": "2"}, "hosts": ["c"], "debug": None}
    assert onto(release, overrides) == {"image": {"tag": "2", "pull": "always"}, "hosts": ["c"]}
    assert onto(release, overrides, nulls_travel=True)["debug"] is None


def test_a_level_takes_away_what_the_levels_below_it_and_the_release_say() -> None:
    fleet, group, site = {"proxy": {"url": "f"}}, {"proxy": None}, {"debug": True}
    assert onto({"proxy": {"port": 1}}, over(over(fleet, group), site)) == {"debug": True}


def test_a_secret_is_one_value_and_takes_the_place_of_another_whole() -> None:
    assert over({"p": {"secret": "old"}}, {"p": {"secret": "new"}}) == {"p": {"secret": "new"}}
    assert over({"p": {"secret": "old"}}, {"p": {"a": 1}}) == {"p": {"a": 1}}
    tls = {"tls": {"secret": "my-tls", "enabled": True}}
    assert list(secrets_in(tls)) == []  # beside others it is a key like any
    named = {"db": {"password": {"secret": "shop-db"}}, "tokens": [{"secret": "t"}]}
    assert list(secrets_in(named)) == [(("db", "password"), "shop-db"), (("tokens", 0), "t")]
    assert filled(named, {"shop-db": "x", "t": "y"}) == {"db": {"password": "x"}, "tokens": ["y"]}
    with pytest.raises(KeyError):
        filled(named, {"t": "y"})


def test_a_mapping_over_a_null_leaves_what_the_release_has_as_values_files_of_helm_do() -> None:
    assert onto({"a": {"z": 0}}, over({"a": None}, {"a": {"y": 1}})) == {"a": {"z": 0, "y": 1}}


@given(values, values)
def test_what_is_set_is_there_afterwards_and_nothing_was_changed_in_place(low: Any, high: Any) -> None:
    before = (repr(low), repr(high))
    merged = over(low, high)
    assert over(merged, high) == merged
    assert {*merged} == {*low, *high}
    assert (repr(low), repr(high)) == before


@given(values, values)
def test_nulls_of_overrides_never_stay_in_mappings_of_what_is_handed_on(release: Any, overrides: Any) -> None:
    for key, value in overrides.items():
        if value is None:
            assert key not in onto(release, overrides)


@given(values, values)
def test_nothing_differs_where_the_values_are_the_same(one: Any, other: Any) -> None:
    assert list(changes(one, one)) == []
    found = list(changes(one, other))
    if one != other:
        assert found  # and 1 is not true, although Python has them equal


def test_differences_are_told_leaf_by_leaf_with_what_was_there() -> None:
    before = {"image": {"tag": "1"}, "hosts": ["a"], "gone": {"x": 1}, "p": {"secret": "old"}}
    after = {"image": {"tag": "2"}, "hosts": ["a", "b"], "new": {"y": None}, "p": {"secret": "new"}}
    found = {change.path: (change.before, change.after) for change in changes(before, after)}
    assert found == {
        ("image", "tag"): ('"1"', '"2"'),
        ("hosts",): ('["a"]', '["a", "b"]'),
        ("gone", "x"): ("1", None),
        ("p",): ('{"secret": "old"}', '{"secret": "new"}'),
        ("new", "y"): (None, "null"),
    }


def test_each_value_is_known_by_the_level_that_it_came_from() -> None:
    levels: list[tuple[str, Any]] = [
        ("release", {"image": {"tag": "1", "pull": "always"}, "debug": True}),
        ("fleet", {"image": {"tag": "2"}, "x.y": 1}),
        ("site", {"debug": None, "hosts": []}),
    ]
    assert origins(levels) == {
        "image.tag": "fleet", "image.pull": "release", "debug": "site", r"x\.y": "fleet", "hosts": "site"
    }  # fmt: skip


@given(values, values)
def test_every_value_came_from_somewhere(low: Any, high: Any) -> None:
    assert {*origins([("low", low), ("high", high)]).values()} <= {"low", "high"}
