"""A file inside of a JSON object comes out as it was put in, however the object is cut into pieces."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.doors.sysinv.binary_data import MOST_AROUND, BinaryData, Malformed

NAMES = st.text(max_size=12).filter(lambda name: name != "binary_data")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def read(raw: bytes, size: int) -> tuple[bytes, Any]:
    reader = BinaryData()
    file = b"".join(reader.feed(raw[at : at + size]) for at in range(0, len(raw), size))
    return file, json.loads(bytes(reader.around))


@given(st.binary(max_size=300), st.dictionaries(NAMES, JSON, max_size=4), st.integers(0, 4), st.integers(1, 50))
def test_the_file_and_what_is_around_it_come_out(file: bytes, around: dict[str, Any], place: int, size: int) -> None:
    for encode in (base64.urlsafe_b64encode, base64.b64encode):
        items = list(around.items())
        items.insert(min(place, len(items)), ("binary_data", encode(file).decode()))
        found, rest = read(json.dumps(dict(items)).encode(), size)
        assert (found, rest) == (file, around | {"binary_data": ""})


@given(st.binary(max_size=300), st.integers(1, 40))
def test_whatever_comes_is_read_or_refused(raw: bytes, size: int) -> None:
    with contextlib.suppress(Malformed, ValueError):
        read(b'{"binary_data": "' + raw, size)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_slash_may_be_written_with_a_backslash(size: int) -> None:
    raw = json.dumps({"binary_data": base64.b64encode(b"\xff\xff\xff?").decode()}).replace("/", "\\/")
    assert read(raw.encode(), size)[0] == b"\xff\xff\xff?"


def test_a_field_of_that_name_deeper_inside_is_none_of_ours() -> None:
    raw = b'{"a": {"binary_data": "AAAA"}, "b": ["binary_data", "AAAA"], "c": "binary_data"}'
    assert read(raw, 7) == (b"", json.loads(raw))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"binary_data": "AAA"}', "padding"),
        (b'{"binary_data": "AA==AAAA"}', "base64"),
        (b'{"binary_data": "A AA"}', "base64"),
        (b'{"binary_data": "AA\\u0041A"}', "base64"),
        (b'{"binary_data": "AAAA", "binary_data": "AAAA"}', "more than once"),
        (b'{"x": "' + b"a" * (MOST_AROUND + 1) + b'"}', "beside its field"),
        (b"[" * (MOST_AROUND + 1), "beside its field"),
    ],
)
def test_what_is_none_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read(raw, 16)
