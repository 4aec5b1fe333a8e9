"""Hosts that no DNS can have are refused where a URL enters, not found out by what resolves them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from yarl import URL

from shared.messages.notifier import AddSubscription

NAMES = (
    "a.", "localhost", "a_b.example", "bücher.example", "straße.example", "💩.la", "x" * 63 + ".example",
    "1.2.3.4", "[::1]",
)  # fmt: skip
NO_NAMES = (
    "x" * 64 + ".com", "a..b", ".a", "a..", "ü" * 60 + ".de", ".".join(["x" * 63] * 4),
    "-a.b", "a-.b", "a{b.c", 'a"b', "a*b",
)  # fmt: skip


@pytest.mark.parametrize("host", NAMES)
def test_a_host_that_there_may_be_is_taken_as_it_will_be_resolved(host: str) -> None:
    taken = AddSubscription(name="a", url=f"https://{host}:8443/x?y#z")  # type: ignore[arg-type]
    assert (URL(str(taken.url)).raw_host or "").encode("idna")


@pytest.mark.parametrize("host", NO_NAMES)
def test_a_host_that_there_cannot_be_is_refused_with_what_would_be_right(host: str) -> None:
    with pytest.raises(ValidationError, match="parts of 1 to 63 letters"):
        AddSubscription(name="a", url=f"https://{host}/")  # type: ignore[arg-type]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100))
def test_whatever_is_taken_can_be_asked_of_the_dns(host: str) -> None:
    try:
        taken = AddSubscription(name="a", url=f"https://{host}")  # type: ignore[arg-type]
    except ValidationError:
        return
    (URL(str(taken.url)).raw_host or "").encode("idna")
