"""What bundle.yaml says of components: today's form and the first one, every fault at its place, in some order."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bundle import BundleRefused, manifest_of
from shared.components.order import cycle_in
from tests.support.bundles import unnumbered

LAMP = {"driver": "simulated", "name": "lamp"}


def content(*components: object, **more: object) -> bytes:
    return json.dumps({"app": "house", "version": "1.0", "components": components, **more}).encode()


def faults(*components: object) -> list[tuple[str, str]]:
    with pytest.raises(BundleRefused) as refused:
        manifest_of(content(*components))
    return [(fault.code, unnumbered(fault.field).removeprefix("bundle.yaml:")) for fault in refused.value.faults]


def test_the_first_form_means_the_same_as_todays() -> None:
    flat, nested = {**LAMP, "seconds": [1, 2]}, {**LAMP, "spec": {"seconds": [1, 2]}}
    assert manifest_of(content(flat)) == manifest_of(content(nested))


def test_a_spec_comes_back_with_every_default() -> None:
    [lamp] = manifest_of(content(LAMP)).components
    fate = {"seconds": [0, 0], "fail": 0, "hang": 0, "crash": 0, "seed": 0, "sites": {}, "values": {}}
    assert lamp.spec == {**fate, "packages_bytes": 0, "images_bytes": 0, "bytes_a_second": None}


def test_every_fault_of_every_spec_is_named_at_once_where_it_stands() -> None:
    broken = {"requirements": "../x", "command": [], "health": {"path": "health", "start_seconds": 0}}
    assert faults(
        {**LAMP, "spec": {"fail": 2, "colour": "red"}},
        {"driver": "rocket", "name": "rocket", "spec": {"fuel": 1}},
        {"driver": "process", "name": "web", "spec": broken},
        {"driver": "process", "name": "Web", **broken},
    ) == [
        ("invalid_field", "components[3].name"),
        ("invalid_field", "components[0].spec.fail"),
        ("unknown_field", "components[0].spec.colour"),
        ("unknown_driver", "components[1].driver"),
        ("invalid_field", "components[2].spec.requirements"),
        ("invalid_field", "components[2].spec.command"),
        ("invalid_field", "components[2].spec.health.path"),
        ("invalid_field", "components[2].spec.health.start_seconds"),
        ("invalid_field", "components[3].requirements"),
        ("invalid_field", "components[3].command"),
        ("invalid_field", "components[3].health.path"),
        ("invalid_field", "components[3].health.start_seconds"),
    ]


def test_an_unknown_driver_is_told_with_those_there_are() -> None:
    with pytest.raises(BundleRefused, match=r"there are: .*process, simulated"):
        manifest_of(content({"driver": "rocket", "name": "lamp"}))


@pytest.mark.parametrize("spec", [None, [], "x"])
def test_what_is_no_spec_at_all_is_refused(spec: object) -> None:
    assert faults({**LAMP, "spec": spec}) == [("invalid_field", "components[0].spec")]


def test_components_that_come_after_what_is_not_there_are_named() -> None:
    house = {**LAMP, "name": "house", "after": ["cellar", "lamp", "roof"]}
    assert faults(house, LAMP) == [
        ("unknown_component", "components[0].after[0]"),
        ("unknown_component", "components[0].after[2]"),
    ]


def test_components_that_wait_for_each_other_are_named() -> None:
    after = {"one": "two", "two": "three", "three": "one"}
    one, two, three = ({**LAMP, "name": name, "after": [other]} for name, other in after.items())
    with pytest.raises(BundleRefused) as refused:
        manifest_of(content(one, two, three, LAMP))
    [fault] = refused.value.faults
    assert (fault.code, fault.field) == ("components_in_a_cycle", "bundle.yaml:1:components")
    first, *others = fault.message.partition(": ")[2].split(" after ")
    assert others == [after[first], after[after[first]], first]


def test_a_component_may_not_come_after_itself() -> None:
    assert faults({**LAMP, "after": ["lamp"]}) == [("components_in_a_cycle", "components")]


@given(st.dictionaries(st.sampled_from("abcde"), st.lists(st.sampled_from("abcde"), max_size=4)))
def test_a_cycle_that_is_told_is_one(after: dict[str, list[str]]) -> None:
    cycle = cycle_in(after)
    assert all(later in after[earlier] for earlier, later in pairwise(cycle))
    assert not cycle or cycle[0] == cycle[-1]
