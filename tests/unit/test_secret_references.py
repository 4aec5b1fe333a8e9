"""References to secrets in connections."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.secret_references import faults_of_references, filled, names_of, references

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,8}[a-z0-9])?", fullmatch=True)
PLAIN = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text().filter(lambda key: key != "secret"), inner, max_size=3)
    ),
    max_leaves=8,
)
REFERENCE = NAMES.map(lambda name: {"secret": name})
PARAMS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        PLAIN | REFERENCE,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text().filter(lambda key: key != "secret"), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def test_any_value_may_be_a_reference_also_inside_of_lists_and_objects() -> None:
    params = {"port": 22, "password": {"secret": "oslo"}, "hops": [{"host": "a", "key": {"secret": "hop"}}]}
    assert [(found.path, found.name) for found in references(params)] == [("password", "oslo"), ("hops.0.key", "hop")]
    assert filled(params, {"oslo": "x", "hop": "y"}) == {
        "port": 22, "password": "x", "hops": [{"host": "a", "key": "y"}]
    }  # fmt: skip


def test_a_connection_may_have_a_key_named_secret_itself() -> None:
    assert references({"secret": "in-clear"}) == []
    assert names_of({"secret": {"secret": "oslo"}}) == {"oslo"}


@pytest.mark.parametrize(
    ("value", "field", "said"),
    [
        ({"secret": "oslo", "user": "ada"}, "params.password", "alone"),
        ({"secret": ""}, "params.password.secret", "1 to 100"),
        ({"secret": "Oslo"}, "params.password.secret", "lower-case"),
        ({"secret": "oslo\n"}, "params.password.secret", "lower-case"),
        ({"secret": 5}, "params.password.secret", "the name of a secret"),
        ({"secret": {"secret": "oslo"}}, "params.password.secret", "the name of a secret"),
    ],
)
def test_what_looks_like_a_reference_and_is_none_is_told(value: Any, field: str, said: str) -> None:
    (fault,) = faults_of_references({"password": value, "port": 22}, "params")
    assert (fault.field, fault.value) == (field, None), "what stands there may be a secret in clear"
    assert said in fault.message


def test_every_fault_is_told() -> None:
    faults = faults_of_references({"a": {"secret": 1}, "b": [{"secret": "X"}], "c": {"secret": "fine"}}, "params")
    assert [fault.field for fault in faults] == ["params.a.secret", "params.b.0.secret"]


@given(PARAMS)
def test_filled_params_hold_no_reference_and_all_else_stays(params: dict[str, Any]) -> None:
    assert not faults_of_references(params, "params")
    names = names_of(params)
    done = filled(params, {name: f"<{name}>" for name in names})
    assert references(done) == []
    if not names:
        assert done == params
