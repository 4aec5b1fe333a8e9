"""What differs between the container that runs and the one that is wanted, and whether both may run at once."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.deployer.drivers.container.differences import LONGEST, conflicts, differences
from services.deployer.drivers.container.names import DEFINITION

VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=3)
FIELDS = st.dictionaries(st.text("abcxyz", min_size=1, max_size=5), VALUES | st.dictionaries(st.text("ab"), VALUES))


def labels(fields: dict[str, Any]) -> dict[str, str]:
    return {DEFINITION: json.dumps(fields)}


@given(FIELDS)
def test_a_container_differs_in_nothing_from_what_it_was_made_as(fields: dict[str, Any]) -> None:
    assert differences(labels(fields), {}, fields, {}) == []


@given(FIELDS, FIELDS)
def test_whatever_differs_is_told_in_lines_of_readable_length(there: dict[str, Any], wanted: dict[str, Any]) -> None:
    found = differences(labels(there), {}, wanted, {})
    same = json.loads(json.dumps(there)) == json.loads(json.dumps(wanted))
    assert not (same and found)
    assert all(len(line) <= 2 * LONGEST + 100 for line in found)


def test_each_line_names_the_field_what_is_there_and_what_is_wanted() -> None:
    there = {"image": "a@1", "environment": {"A": "1", "B": "2"}, "command": ["run", "fast"], "ports": {}}
    wanted = {"image": "a@2", "environment": {"A": "1", "C": "3"}, "command": None, "ports": {"80/tcp": "0.0.0.0:81"}}
    assert differences(labels(there), {}, wanted, {}) == [
        "command: run fast -> nothing",
        "environment.B: 2 -> nothing",
        "environment.C: nothing -> 3",
        "image: a@1 -> a@2",
        "ports.80/tcp: nothing -> 0.0.0.0:81",
    ]


@given(st.text(min_size=4), st.text(min_size=4))
def test_of_a_value_that_the_site_says_only_the_change_is_told(there: str, wanted: str) -> None:
    fields = {"site_environment": {"PASSWORD": "db"}}
    found = differences(labels(fields), {"PASSWORD": there}, fields, {"PASSWORD": wanted})
    line = "environment.PASSWORD: another value is wanted (not shown)"
    assert found == ([] if there == wanted else [line])


def test_a_container_that_says_nothing_of_itself_differs() -> None:
    for said in ({}, {DEFINITION: "no json"}):
        assert differences(said, {}, {}, {}) == ["the container was not made by Belay"]


def test_two_run_side_by_side_unless_they_hold_one_port_or_write_to_one_place() -> None:
    there = {"ports": {"80/tcp": "127.0.0.1:8080"}, "volumes": {"/data": "data", "/etc/app": "settings (ro)"}}
    free = {"ports": {"80/tcp": "127.0.0.1:8081", "80/udp": "127.0.0.1:8080"}, "volumes": {"/x": "settings (ro)"}}
    assert conflicts(there, free) == []
    assert conflicts(there, {"ports": {"81/tcp": "0.0.0.0:8080"}, "volumes": {}}) == ["both hold 0.0.0.0:8080/tcp"]
    assert conflicts(there, {"ports": {"81/tcp": "127.0.0.2:8080"}, "volumes": {}}) == []
    assert conflicts(there, {"ports": {}, "volumes": {"/other": "data"}}) == ["both write to data"]
    assert conflicts({}, free) == []
