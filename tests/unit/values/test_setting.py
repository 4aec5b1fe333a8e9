"""--set as Helm writes it."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.merging import Change, changes
from shared.values.paths import BadPath, parsed, taken_away, without, written
from shared.values.setting import BadSetting, set_in


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=b", {"a": "b"}),
        ("a.b=c,d=e", {"a": {"b": "c"}, "d": "e"}),
        ("a={x,y}", {"a": ["x", "y"]}),
        ("a={}", {"a": []}),
        ("a={x,1,true}", {"a": ["x", 1, True]}),
        ("a={x},b=c", {"a": ["x"], "b": "c"}),
        ("a[0].b=c", {"a": [{"b": "c"}]}),
        ("a[1]=c", {"a": [None, "c"]}),
        ("a[0][1]=c", {"a": [[None, "c"]]}),
        ("a[0]=x,a[1]=y", {"a": ["x", "y"]}),
        (r"a=b\,c", {"a": "b,c"}),
        (r"node\.kubernetes\.io/role=edge", {"node.kubernetes.io/role": "edge"}),
        (r"a=\{b\}", {"a": "{b}"}),
        ("a=", {"a": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a=true,b=false,c=null,d=0,e=12,f=-3", {"a": True, "b": False, "c": None, "d": 0, "e": 12, "f": -3}),
        ("a=007,b=1.5,c=1e3", {"a": "007", "b": "1.5", "c": "1e3"}),
        ("a=x,", {"a": "x"}),
    ],
)
def test_values_are_read_as_helm_reads_them(text: str, values: dict[str, Any]) -> None:
    assert set_in({}, text) == values


def test_text_is_text_where_it_is_asked_for() -> None:
    assert set_in({}, "a=true,b={1,2}", strings=True) == {"a": "true", "b": ["1", "2"]}


def test_what_is_set_goes_into_what_is_there() -> None:
    there = {"image": {"tag": "1", "pull": "always"}, "hosts": [{"name": "a", "port": 1}]}
    assert set_in(there, "image.tag=2,hosts[0].port=2") == {
        "image": {"tag": 2, "pull": "always"}, "hosts": [{"name": "a", "port": 2}]
    }  # fmt: skip
    assert there == {"image": {"tag": "1", "pull": "always"}, "hosts": [{"name": "a", "port": 1}]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "key=value"),
        ("a", "has no value"),
        ("a,b=1", "has no value"),
        ("=b", "a key must stand"),
        ("a.=b", "a key must stand"),
        ("a..b=c", "a key is missing"),
        ("a={b,c", "ends with '}'"),
        ("a={b}c", "comma must follow"),
        ("a[x]=1", "place in a list"),
        ("a[-1]=1", "place in a list"),
        ("a[1001]=1", "place in a list"),
        ("a[0=1", "place in a list"),
        ("a=1,a.b=2", "'a' is no mapping"),
        ("a=1,a[0]=2", "'a' is no list"),
        (".".join("a" * 31) + "=1", "within each other"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(BadSetting, match=re.escape(said)):
        set_in({}, text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadSetting):
        assert isinstance(set_in({}, text), dict)


key = st.text(min_size=1, max_size=5)
value = st.text(max_size=10)


@given(st.lists(key, min_size=1, max_size=4), value)
def test_whatever_is_written_with_backslashes_is_read_as_it_was_meant(path: list[str], text: str) -> None:
    escaped = re.sub(r"([,{}\\])", r"\\\1", text)
    expected: Any = text
    for name in reversed(path):
        expected = {name: expected}
    assert set_in({}, f"{written(path)}={escaped}", strings=True) == expected


@given(st.lists(key | st.integers(0, 999), min_size=1, max_size=5).filter(lambda path: isinstance(path[0], str)))
def test_a_path_is_read_as_it_was_written(path: list[str | int]) -> None:
    assert parsed(written(path)) == tuple(path)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a]b", "a[0]b", "[0]"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(BadPath):
        parsed(text)


@given(st.text(max_size=20))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    with contextlib.suppress(BadPath):
        assert parsed(text)


def test_a_value_is_taken_away_and_mappings_that_became_empty_with_it() -> None:
    there = {"a": {"b": {"c": 1}, "d": 2}, "e": [1]}
    assert taken_away(there, ("a", "b", "c")) == {"a": {"d": 2}, "e": [1]}
    assert taken_away(there, ("a", "x")) is None
    assert taken_away(there, ("e", 0)) is None
    assert without(there, ("a", "x")) is there
    assert [*changes(there, without(there, ("e",)))] == [Change(("e",), "[1]", None)]
