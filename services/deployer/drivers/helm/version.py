"""The version that the deployed thing says it is: by a label of its pods, or by HTTP through the API server's proxy."""

from __future__ import annotations

import asyncio
import time

import httpx2 as httpx

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm.cluster import Cluster, Unreachable
from services.deployer.drivers.helm.manifest import KINDS, Workload
from shared.components.helm import ByHttp, ByLabel, VersionCheck
from shared.json_pointer import value_at

SETTLING = frozenset({"wrong_version", "no_version"})
SETTLE_SECONDS = 5.0
"""So long may a wrong answer last: a service sends requests to the pods of before until its endpoints are renewed."""
PAUSE = 0.5


async def proven(cluster: Cluster, namespace: str, wanted: VersionCheck, version: str) -> str:
    """As `check`, again while what was deployed settles."""
    begun = time.monotonic()
    while True:
        try:
            return await check(cluster, namespace, wanted, version)
        except Failed as failed:
            if failed.broken.code not in SETTLING or time.monotonic() - begun > SETTLE_SECONDS:
                raise
        await asyncio.sleep(PAUSE)


async def check(cluster: Cluster, namespace: str, wanted: VersionCheck, version: str) -> str:
    """Compare, and say what was found. Raises Failed `wrong_version` or `no_version`."""
    expected = wanted.expected or version
    found, where = set[str](), ""
    if wanted.label:
        found, where = await _by_label(cluster, namespace, wanted.label)
    elif wanted.http:
        found, where = await _by_http(cluster, namespace, wanted.http)
    if found != {expected}:
        said = ", ".join(sorted(found)) or "nothing"
        raise Failed("wrong_version", f"version {expected} was expected, but {where} says {said}")
    return expected


async def _by_label(cluster: Cluster, namespace: str, label: ByLabel) -> tuple[set[str], str]:
    """The label's values on all pods of the workload that are to stay."""
    lower, name = label.workload.split("/", 1)
    kind = next(each for each in KINDS if each.lower() == lower)
    workload = await cluster.get(Workload(kind, namespace, name).path)
    chosen = (((workload or {}).get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    if not chosen:
        raise Failed("no_version", f"{label.workload} is not there, or chooses its pods by no label")
    selector = ",".join(f"{key}={value}" for key, value in sorted(chosen.items()))
    # Evicted pods of the release before keep their labels, and nobody takes them away for months.
    only = {"labelSelector": selector, "fieldSelector": "status.phase!=Failed"}
    pods = await cluster.list(f"/api/v1/namespaces/{namespace}/pods", metadata_only=True, **only)
    staying = [pod["metadata"] for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    where = f"the label {label.label} of the pods of {label.workload}"
    return {str((each.get("labels") or {}).get(label.label, "nothing")) for each in staying}, where


async def _by_http(cluster: Cluster, namespace: str, http: ByHttp) -> tuple[set[str], str]:
    service = f"{http.scheme}:{http.service}:{http.port}"
    path = f"/api/v1/namespaces/{namespace}/services/{service}/proxy{http.path}"
    where = f"GET {http.path} of the service {http.service}"
    try:
        answer = await _answer(cluster, path)
        if answer.status_code != 200:
            raise Failed("no_version", f"{where} answered {answer.status_code}", (answer.text[:500],))
        return {str(value_at(answer.json(), http.pointer))}, where
    except Unreachable as error:
        raise Failed("no_version", f"{where} was not answered: {error}") from None
    except (ValueError, LookupError, TypeError):
        raise Failed("no_version", f"{where} answered no JSON with a version at {http.pointer}") from None


async def _answer(cluster: Cluster, path: str) -> httpx.Response:
    """Of the service; once more where it was the API server that was away. Raises Unreachable, Failed."""
    try:
        return await cluster.raw("GET", path)
    except Unreachable:
        await cluster.get("/version")  # waits for it
        return await cluster.raw("GET", path)
