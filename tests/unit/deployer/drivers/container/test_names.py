"""Names are for people; who is who among the containers of a place follows from them and from labels."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.drivers.container.engine import seen_in
from services.deployer.drivers.container.names import ORDER, Place, Seen, standing

NAME = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
SITE = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}[a-z0-9]", fullmatch=True)
PLACES = st.builds(Place, SITE, NAME, NAME)
ALLOWED = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
HERE = Place("oslo", "shop", "web")


@given(PLACES, PLACES, NAME, NAME)
def test_no_two_places_or_orders_share_a_name_and_every_engine_takes_them(
    one: Place, two: Place, key: str, other: str
) -> None:
    names = [one.name, one.old_name, one.own_name(key), one.shared_name(key)]
    assert all(ALLOWED.fullmatch(name) and len(name) < 250 for name in names)
    assert len(set(names[:3])) == 3
    assert (one.name == two.name) == (one == two)
    assert (one.own_name(key) == one.own_name(other)) == (key == other)


def seen(name: str, order: str) -> Seen:
    return Seen(f"{name} of {order}", name, "image", active=True, labels={ORDER: order})


def test_until_it_is_proven_the_container_of_an_order_stands_beside_the_one_that_was_proven_before() -> None:
    old, new = seen(HERE.name, "o1"), seen(HERE.own_name("o2"), "o2")
    found = standing(HERE, "o2", [new, old])
    assert (found.current, found.own, found.strays, found.finished) == (old, new, (), False)


def test_while_the_name_changes_hands_the_old_one_still_counts() -> None:
    old, new = seen(HERE.old_name, "o1"), seen(HERE.own_name("o2"), "o2")
    found = standing(HERE, "o2", [old, new])
    assert (found.current, found.own, found.finished) == (old, new, False)


def test_once_it_has_the_name_the_order_is_finished_and_what_was_before_has_to_go() -> None:
    old, new, half = seen(HERE.old_name, "o1"), seen(HERE.name, "o2"), seen(HERE.own_name("o0"), "o0")
    found = standing(HERE, "o2", [old, half, new])
    assert (found.current, found.own, found.finished) == (new, new, True)
    assert found.strays == (old, half)


def test_what_another_order_left_half_made_has_to_go() -> None:
    old, half = seen(HERE.name, "o1"), seen(HERE.own_name("o2"), "o2")
    found = standing(HERE, "o3", [old, half])
    assert (found.current, found.own, found.strays) == (old, None, (half,))


@pytest.mark.parametrize(
    ("state", "active"),
    [
        ("running", True), ("restarting", True), ("paused", True), ("stopping", True), ("created", False),
        ("configured", False), ("exited", False), ("dead", False), ("removing", False),
    ],
)  # fmt: skip
def test_what_its_engine_will_start_again_or_let_go_on_holds_what_it_has(state: str, active: bool) -> None:
    assert seen_in({"Id": "c", "Names": ["/web"], "State": state}).active is active
