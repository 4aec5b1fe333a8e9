"""Objects of a release against those in the cluster: what is a change, how it is told, what is left alone."""

from typing import Any

import pytest

from services.deployer.drivers.helm.objects import Object, changed, compared
from shared.components.helm import HelmSpec

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, creationTimestamp: null}
spec: {replicas: 3, strategy: null, template: {}}
status: {}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: other}}
- {apiVersion: v1, kind: Pod, metadata: {generateName: web-}}
---
{apiVersion: monitoring.example.org/v1, kind: Rule, metadata: {name: web}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: web}}
"""
WEB = Object("apps", "v1", "Deployment", "", "web", {})


def container(**more: Any) -> dict[str, Any]:
    return {"spec": {"template": {"containers": [{"name": "app", "image": "a:1", **more}]}}}


def test_objects_are_read_as_the_server_takes_them_and_what_helm_3_would_not_put_right_is_left_out() -> None:
    whole = compared(MANIFEST, by_server=True)
    assert [(str(each), each.api, each.namespace) for each in whole] == [
        ("deployment/web", "/apis/apps/v1", ""),
        ("configmap/web", "/api/v1", "other"),
        ("rule/web", "/apis/monitoring.example.org/v1", ""),
        ("clusterrole/web", "/apis/rbac.authorization.k8s.io/v1", ""),
    ]
    assert whole[0].body["metadata"] == {"name": "web"}
    assert whole[0].body["spec"] == {"replicas": 3, "template": {}}
    assert "status" not in whole[0].body
    assert [str(each) for each in compared(MANIFEST, by_server=False)] == [
        "deployment/web", "configmap/web", "clusterrole/web",
    ]  # fmt: skip


def test_what_the_server_keeps_and_what_autoscalers_set_is_no_change() -> None:
    live = {"metadata": {"resourceVersion": "2", "generation": 4}, "spec": {"replicas": 5}, "status": {"replicas": 5}}
    again = {"metadata": {"resourceVersion": "3", "managedFields": []}, "spec": {"replicas": 3}, "status": {}}
    assert changed(WEB, live, again) == ""


@pytest.mark.parametrize(
    ("live", "released", "told"),
    [
        (container(image="b:2"), container(), "spec.template.containers[0].image (a:1 → b:2)"),
        (container(tty=True), container(tty=False), "spec.template.containers[0].tty (False → True)"),
        (container(), container(stdin=True), "spec.template.containers[0].stdin (True → nothing)"),
        (container(env="hunter2"), container(env="hunter3"), "spec.template.containers[0].env"),
        (container(args=["hunter2"]), container(), "spec.template.containers[0].args"),
    ],
)
def test_a_change_is_told_by_its_field_and_only_what_can_be_no_secret_by_its_value(
    live: dict[str, Any], released: dict[str, Any], told: str
) -> None:
    assert changed(WEB, live, released) == f"deployment/web was changed: {told}"
    assert changed(WEB, live, released, ("spec.template.containers",)) == ""
    assert changed(WEB, live, released, ("spec.temp",)) != ""


def test_a_spec_that_leaves_nothing_alone_is_written_as_before_there_was_such_a_field() -> None:
    spec = {"chart": "chart", "namespace": "shop"}
    assert "left_alone" not in HelmSpec.model_validate(spec).model_dump_json()
    alone = {"mutatingwebhookconfiguration/web": ["webhooks[0].clientConfig.caBundle"]}
    assert "caBundle" in HelmSpec.model_validate({**spec, "left_alone": alone}).model_dump_json()
    for wrong in ({"Web": ["a"]}, {"configmap/web": ["a b"]}, {"configmap/web": ["a..b"]}):
        with pytest.raises(ValueError, match="left_alone"):
            HelmSpec.model_validate({**spec, "left_alone": wrong})
