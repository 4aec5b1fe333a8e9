"""Which nodes a required node affinity admits: as the scheduler says, or `images: require` would wait for others."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from services.deployer.drivers.helm import images
from services.deployer.drivers.helm.affinity import admits

LABELS = {"arch": "arm64", "cores": "16", "bare": ""}


def node(name: str = "n1", labels: dict[str, str] | None = LABELS) -> dict[str, Any]:
    said = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": said}


def demand(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def term(*of_labels: dict[str, Any], fields: Any = ()) -> dict[str, Any]:
    return {"matchExpressions": list(of_labels), "matchFields": list(fields)}


def placement(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeSelectorTerms": list(terms)}


@pytest.mark.parametrize(
    ("operator", "key", "values", "holds"),
    [
        ("In", "arch", ["amd64", "arm64"], True),
        ("In", "arch", ["amd64"], False),
        ("In", "arch", ["arm"], False),
        ("In", "bare", [""], True),
        ("In", "lost", ["arm64"], False),
        ("In", "lost", [""], False),
        ("NotIn", "arch", ["amd64"], True),
        ("NotIn", "arch", ["amd64", "arm64"], False),
        ("NotIn", "lost", ["arm64"], True),
        ("Exists", "arch", [], True),
        ("Exists", "bare", [], True),
        ("Exists", "lost", [], False),
        ("DoesNotExist", "lost", [], True),
        ("DoesNotExist", "bare", [], False),
        ("Gt", "cores", ["8"], True),
        ("Gt", "cores", ["16"], False),
        ("Gt", "cores", ["-1"], True),
        ("Gt", "cores", ["+15"], True),
        ("Gt", "cores", ["many"], False),
        ("Gt", "cores", ["1_0"], False),
        ("Gt", "cores", [" 8"], False),
        ("Gt", "cores", ["8", "4"], False),
        ("Gt", "cores", [], False),
        ("Gt", "arch", ["8"], False),
        ("Gt", "bare", ["8"], False),
        ("Gt", "lost", ["8"], False),
        ("Lt", "cores", ["17"], True),
        ("Lt", "cores", ["16"], False),
        ("Lt", "cores", [str(2**63 - 1)], True),
        ("Lt", "cores", [str(2**63)], False),
        ("Lt", "lost", ["17"], False),
        ("Near", "arch", ["arm64"], False),
        ("in", "arch", ["arm64"], False),
    ],
)
def test_what_is_demanded_of_a_label_holds_or_not(operator: str, key: str, values: list[str], holds: bool) -> None:
    assert admits(placement(term(demand(key, operator, *values))), node()) is holds


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [
        ("In", ["n1"], True),
        ("In", ["n2"], False),
        ("NotIn", ["n2"], True),
        ("NotIn", ["n1"], False),
    ],
)
def test_fields_are_those_of_the_node_and_not_its_labels(operator: str, values: list[str], holds: bool) -> None:
    named = demand("metadata.name", operator, *values)
    assert admits(placement(term(fields=[named])), node(labels={"metadata.name": "n9"})) is holds
    assert not admits(placement(term(demand("arch", "In", "amd64"), fields=[named])), node())


def test_a_node_meets_all_demands_of_a_term_and_one_of_the_terms() -> None:
    arm, amd, cores = demand("arch", "In", "arm64"), demand("arch", "In", "amd64"), demand("cores", "Gt", "8")
    assert admits(placement(term(arm, cores)), node())
    assert not admits(placement(term(amd, cores)), node())
    assert admits(placement(term(amd), term(arm)), node())
    assert not admits(placement(term(amd), term(demand("cores", "Lt", "8"))), node())


def test_a_term_that_demands_nothing_admits_no_node_and_no_placement_admits_all() -> None:
    assert not admits(placement(term()), node())
    assert not admits(placement({}), node())
    assert not admits(placement({"matchExpressions": None, "matchFields": None}), node())
    assert not admits({"nodeSelectorTerms": None}, node())
    assert admits({}, node())


def test_a_node_without_labels_has_none() -> None:
    assert admits(placement(term(demand("arch", "DoesNotExist"))), node(labels=None))
    assert not admits(placement(term(demand("arch", "Exists"))), node(labels=None))


def test_a_node_that_the_workloads_affinity_leaves_out_gets_no_pod() -> None:
    required = placement(term(demand("arch", "In", "arm64")))
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    spec = {"containers": [{"name": "a", "image": "a:1"}], "affinity": affinity}
    manifest = yaml.safe_dump({"kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
    [wanted] = images.wanted(manifest, [], "shop", frozenset())
    nodes = [node("n1"), node("n2", {"arch": "amd64"}), node("n3", None)]
    assert [each.name for each in images.nodes_for(wanted, nodes)] == ["n1"]
    full = {**node("n2", {"arch": "amd64"}), "status": {"conditions": FULL}}
    assert [each.name for each in images.nodes_for(wanted, [*nodes, full])] == ["n1"]


FULL = [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}]
