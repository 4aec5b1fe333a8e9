"""What is said beforehand of a release that would change."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.drivers.helm import differences


def thing(name: str, kind: str = "ConfigMap", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, **more}


def lines(before: list[Any], after: list[Any]) -> list[str]:
    return differences.of_manifests(yaml.safe_dump_all(before), yaml.safe_dump_all(after))


def test_objects_that_come_change_and_go_have_a_line_each() -> None:
    old = [thing("a"), thing("b", spec={"replicas": 1, "list": [{"image": "x:1"}]}), thing("c")]
    new = [thing("b", spec={"replicas": 3, "list": [{"image": "x:2"}]}), thing("c"), thing("d")]
    assert lines(old, new) == [
        "makes configmap/d",
        "changes configmap/b: spec.list[0].image (x:1 → x:2), spec.replicas (1 → 3)",
        "removes configmap/a",
    ]


def test_what_is_in_secrets_is_never_told() -> None:
    assert lines([thing("a", "Secret", data={"p": "one"})], [thing("a", "Secret", data={"p": "two"})]) == []


def test_many_fields_are_counted() -> None:
    old, new = ({"data": {str(n): value for n in range(9)}} for value in "xy")
    assert lines([thing("a", **old)], [thing("a", **new)])[0].endswith("and 4 more")


things = st.lists(
    st.builds(thing, st.sampled_from("abc"), data=st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2))),
    unique_by=lambda each: each["metadata"]["name"],
)


@given(things)
def test_nothing_differs_from_itself(there: list[Any]) -> None:
    assert lines(there, there) == []


@given(things, things)
def test_what_comes_one_way_goes_the_other(one: list[Any], other: list[Any]) -> None:
    made = {line.removeprefix("makes ") for line in lines(one, other) if line.startswith("makes ")}
    gone = {line.removeprefix("removes ") for line in lines(other, one) if line.startswith("removes ")}
    assert made == gone


def test_hooks_are_told_with_their_moment_and_definitions_with_what_helm_does() -> None:
    hooks = [{"name": "migrate", "kind": "Job", "events": ["post-upgrade", "pre-upgrade", "pre-install"]}]
    assert differences.of_hooks(hooks, ("pre-upgrade", "post-upgrade")) == [
        "runs the hook job/migrate before the upgrade",
        "runs the hook job/migrate after the upgrade",
        "its hooks run once more where helm is cut off in the middle: they must bear that",
    ]
    assert differences.of_hooks(hooks, ("pre-delete", "post-delete")) == []
    assert differences.of_definitions({"a.example": False, "b.example": True}) == [
        "makes the custom resource definition a.example",
        "leaves the custom resource definition b.example as it is: Helm changes none that is there",
    ]
