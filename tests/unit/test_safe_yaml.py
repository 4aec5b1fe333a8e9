"""YAML that may be hostile."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.safe_yaml import BadYaml, load

BOMB = b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (BOMB, r"line 2, column 8: aliases \(\*a\) are not taken"),
        (b"app: x\napp: y\n", "line 2, column 1: the key 'app' stands twice"),
        (b"a: {b: 1, b: 2}", "the key 'b' stands twice"),
        (b"[" * 1000 + b"]" * 1000, "nested deeper than 20 levels"),
        (b"a: [1, 2", "line 2, column 1: did not find"),
        (b"a: \xff\xfe", "byte 3 is not UTF-8"),
        (b'a: "x\\0y"', "NUL characters"),
        (b'a: "\\ud800"', "invalid Unicode|surrogates"),
        (b"a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        (b"a: 1\n---\nb: 2\n", "another document"),
        (b"a: \x07", "special characters|control characters"),
        (b"? [a, b]\n: 1\n", "keys must be plain"),
        (b"a: !!timestamp 2020-99-99", "the tag"),
        (b"a: .nan", "no form in JSON"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_place(content: bytes, reason: str) -> None:
    with pytest.raises(BadYaml, match=reason):
        load(content)


def test_a_plain_document_is_read() -> None:
    assert load(b"app: x\nlist: [1, 'two']\nnone: ~\n") == {"app": "x", "list": [1, "two"], "none": None}
    assert load(b"") is None


@given(st.binary(max_size=300) | st.text(alphabet="a:-[]{}&*!\"'\n ?|>#%@`0\\,~<", max_size=80).map(str.encode))
def test_any_bytes_are_yaml_or_refused_and_never_another_error(content: bytes) -> None:
    with contextlib.suppress(BadYaml):
        load(content)
