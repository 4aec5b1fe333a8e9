"""Bodies of requests that are JSON, and still nothing that can be worked with."""

import pytest

from services.gateway.http.bodies import DEEPEST, formed, parsed
from services.gateway.http.problems import Problem
from shared.messages.strategy import CreateGroup


def nested(levels: int, inside: bytes = b"") -> bytes:
    """An object with a list in a list …: so many levels in all."""
    return b'{"name": ' + b"[" * (levels - 1) + inside + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize("inside", [b"", b'"\\u0000"'])
@pytest.mark.parametrize("levels", [DEEPEST + 1, 300, 900, 1_020])
def test_what_is_nested_too_deep_is_a_fault_of_the_request(levels: int, inside: bytes) -> None:
    with pytest.raises(Problem) as refused:
        formed(CreateGroup, parsed(nested(levels, inside)))
    assert (refused.value.status, refused.value.code) == (422, "invalid_field")
    assert "deeper" in refused.value.detail
    assert refused.value.response().body


def test_what_is_as_deep_as_may_be_is_judged_by_its_fields() -> None:
    with pytest.raises(Problem) as refused:
        formed(CreateGroup, parsed(nested(DEEPEST)))
    assert [fault.field for fault in refused.value.faults] == ["name"]
    assert parsed(b'{"sites": [' + b"[], " * DEEPEST + b"{}]}")["sites"][-1] == {}


def test_no_body_is_an_empty_object() -> None:
    assert parsed(b"") == {}
