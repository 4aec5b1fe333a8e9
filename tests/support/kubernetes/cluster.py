"""A cluster as an administrator beside Belay sees and changes it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
from lightkube import KubeConfig
from lightkube.config.client_adapter import Client, ConnectionParams

from services.deployer.drivers import Order
from tests.support.kubernetes import sites
from tests.support.kubernetes.lab import Lab

PATHS = {
    "deployment": "apis/apps/v1",
    "statefulset": "apis/apps/v1",
    "daemonset": "apis/apps/v1",
    "job": "apis/batch/v1",
    "pod": "api/v1",
    "secret": "api/v1",
    "configmap": "api/v1",
    "service": "api/v1",
    "resourcequota": "api/v1",
    "horizontalpodautoscaler": "apis/autoscaling/v2",
}


@dataclass
class Cluster:
    """One namespace of it; `prefix` makes a site's namespace `shop` this one."""

    lab: Lab
    http: httpx.Client
    prefix: str

    @classmethod
    @contextmanager
    def of(cls, lab: Lab) -> Iterator[Cluster]:
        config = KubeConfig.from_dict(lab.config).get()
        with Client(config, ConnectionParams(trust_env=False)) as http:
            yield cls(lab, http, f"{lab.namespace()}-")

    @property
    def namespace(self) -> str:
        return f"{self.prefix}shop"

    def order(self, key: str, version: str = "1.0", values: Mapping[str, Any] | None = None, **spec: Any) -> Order:
        """An apply of the test's chart here."""
        return sites.order(self.lab, key, version, self.prefix, dict(values or {}), **spec)

    def history(self, release: str = "shop-web") -> list[tuple[int, str]]:
        return sites.history(self.lab, self.namespace, release)

    def path(self, kind: str, name: str = "") -> str:
        return f"/{PATHS[kind]}/namespaces/{self.namespace}/{kind}s{name and '/' + name}"

    def get(self, kind: str, name: str) -> Any:
        """An object, None when there is none."""
        answer = self.http.get(self.path(kind, name))
        return None if answer.status_code == 404 else answer.raise_for_status().json()

    def names(self, kind: str) -> list[str]:
        found = self.http.get(self.path(kind)).raise_for_status().json()["items"]
        return sorted(each["metadata"]["name"] for each in found)

    def create(self, kind: str, body: Mapping[str, Any]) -> None:
        self.http.post(self.path(kind), json=dict(body)).raise_for_status()

    def patch(self, kind: str, name: str, body: Mapping[str, Any]) -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        self.http.patch(self.path(kind, name), json=dict(body), headers=headers).raise_for_status()

    def scale(self, kind: str, name: str, replicas: int) -> None:
        """As `kubectl scale` does."""
        self.patch(kind, f"{name}/scale", {"spec": {"replicas": replicas}})

    def delete(self, kind: str, name: str) -> None:
        self.http.delete(self.path(kind, name), params={"propagationPolicy": "Background"}).raise_for_status()

    def create_namespace(self) -> None:
        self.http.post("/api/v1/namespaces", json={"metadata": {"name": self.namespace}}).raise_for_status()

    def delete_namespace(self) -> None:
        self.http.delete(f"/api/v1/namespaces/{self.namespace}").raise_for_status()

    def image(self) -> str:
        """Of the Deployment, as it is now."""
        return str(self.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"])

    def record(self, revision: int, release: str = "shop-web") -> dict[str, Any]:
        """What Helm wrote down of a revision."""
        data = self.get("secret", f"sh.helm.release.v1.{release}.v{revision}")["data"]["release"]
        record: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))
        return record

    def set_status(self, revision: int, status: str, release: str = "shop-web") -> None:
        """As a helm that was killed leaves its revision, and those before it."""
        record = self.record(revision, release)
        record["info"]["status"] = status
        self.put_record(revision, record, release)

    def put_record(self, revision: int, record: Mapping[str, Any], release: str = "shop-web") -> None:
        """In the place of what Helm wrote down."""
        name, status = f"sh.helm.release.v1.{release}.v{revision}", record["info"]["status"]
        packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(record).encode()))).decode()
        self.patch("secret", name, {"metadata": {"labels": {"status": status}}, "data": {"release": packed}})
