"""What a component says is to be deleted before an upgrade: jobs, which Kubernetes lets nobody change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.place import Place
from shared.components.helm import Deletion

PATHS = {"job": "/apis/batch/v1/namespaces/{}/jobs", "cronjob": "/apis/batch/v1/namespaces/{}/cronjobs"}
PATHS["pod"] = "/api/v1/namespaces/{}/pods"
PAUSE_SECONDS = 0.5


async def clear(cluster: Cluster, place: Place, deletions: Sequence[Deletion]) -> None:
    """Delete them with what belongs to them, and wait until they are gone; again is no harm. Raises Failed."""
    for deletion in deletions:
        path = PATHS[deletion.kind].format(place.namespace)
        selector = ",".join(f"{key}={value}" for key, value in deletion.labels.items())
        while await cluster.list(path, metadata_only=True, labelSelector=selector):
            await cluster.ask("DELETE", path, {"labelSelector": selector, "propagationPolicy": "Background"})
            await asyncio.sleep(PAUSE_SECONDS)
