"""Pods that have nodes pull images, as an administrator beside Belay sees them, and a kubelet answers them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import SecretStr

from tests.support.kubernetes.cluster import Cluster
from tests.support.patience import patience

NODES = "/api/v1/nodes"


@dataclass
class Pods:
    """Those of all namespaces, from the moment on at which somebody looks."""

    cluster: Cluster
    since: str

    @classmethod
    @contextmanager
    def seen(cls, cluster: Cluster) -> Iterator[Pods]:
        found = cluster.http.get("/api/v1/pods", params={"limit": "1"}).raise_for_status().json()
        yield cls(cluster, found["metadata"]["resourceVersion"])

    def made(self) -> list[dict[str, Any]]:
        """Every one that there was, as it was last: the API server still knows what it has told of."""
        query = {"watch": "1", "labelSelector": "belay-images", "resourceVersion": self.since, "timeoutSeconds": "1"}
        last: dict[str, dict[str, Any]] = {}
        with self.cluster.http.stream("GET", "/api/v1/pods", params=query) as told:
            for line in told.iter_lines():
                pod = json.loads(line)["object"]
                last[pod["metadata"]["uid"]] = pod
        return list(last.values())

    def there(self) -> list[dict[str, Any]]:
        query = {"labelSelector": "belay-images"}
        found: list[dict[str, Any]] = self.cluster.http.get("/api/v1/pods", params=query).json()["items"]
        return found

    async def some(self) -> None:
        """Until a node has one in its hands."""
        async with patience(60):
            while not any(pod["status"].get("containerStatuses") for pod in self.there()):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def gone(self) -> None:
        async with patience(30):
            while self.there():  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.05)

    def answer_all(self, *, keep: bool = False) -> None:
        """The pulls of those that are there end well. `keep`: their nodes say, too, that they have the images."""
        for pod in self.there():
            ended = {"terminated": {"exitCode": 128, "reason": "StartError"}}
            statuses = [
                {**each, "imageID": "sha256:a", "state": ended, "ready": False, "restartCount": 0}
                for each in pod["status"]["containerStatuses"]
            ]
            if keep:
                self._keep(pod["spec"]["nodeName"], [each["image"] for each in statuses])
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/status"
            self._patch(path, {"status": {"phase": "Failed", "containerStatuses": statuses}})

    def _keep(self, node: str, images: list[str]) -> None:
        there = self.cluster.http.get(f"{NODES}/{node}").json()["status"].get("images") or []
        self._patch(f"{NODES}/{node}/status", {"status": {"images": [*there, {"names": images}]}})

    def _patch(self, path: str, body: Mapping[str, Any]) -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        self.cluster.http.patch(path, json=dict(body), headers=headers).raise_for_status()

    def on_node(self, name: str = "pretend") -> set[str]:
        """The images that a node says it has."""
        found = self.cluster.http.get(f"{NODES}/{name}").raise_for_status().json()
        return {name for image in found["status"].get("images") or () for name in image["names"]}

    @contextmanager
    def node(self, body: Mapping[str, Any]) -> Iterator[None]:
        """A further one, for a while."""
        self.cluster.http.post(NODES, json=dict(body)).raise_for_status()
        try:
            self._patch(f"{NODES}/{body['metadata']['name']}/status", {"status": body["status"]})
            yield
        finally:
            self.cluster.http.delete(f"{NODES}/{body['metadata']['name']}").raise_for_status()


def limited(cluster: Cluster, forbidden: str = "") -> SecretStr:
    """The kubeconfig of one who may do all in the namespace, but make what is forbidden; and nothing beside it."""
    name, space = "limited", cluster.namespace
    verbs = ["get", "list", "watch", "patch", "update", "delete"]
    every = {"apiGroups": ["*"], "resources": ["*"], "verbs": verbs}
    makes = [each for each in ("secrets", "deployments", "pods", "configmaps", "services") if each != forbidden]
    creates = {"apiGroups": ["", "apps"], "resources": makes, "verbs": ["create"]}
    here = f"/api/v1/namespaces/{space}"
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}"
    _post(cluster, f"{here}/serviceaccounts", {"metadata": {"name": name}})
    _post(cluster, f"{rbac}/roles", {"metadata": {"name": name}, "rules": [every, creates]})
    subject = {"kind": "ServiceAccount", "name": name, "namespace": space}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    _post(cluster, f"{rbac}/rolebindings", {"metadata": {"name": name}, "subjects": [subject], "roleRef": role})
    token = _post(cluster, f"{here}/serviceaccounts/{name}/token", {"spec": {"expirationSeconds": 3600}})
    config = cluster.lab.config
    config["users"][0]["user"] = {"token": token["status"]["token"]}
    return SecretStr(yaml.safe_dump(config))


def _post(cluster: Cluster, path: str, body: Mapping[str, Any]) -> Any:
    return cluster.http.post(path, json=dict(body)).raise_for_status().json()
