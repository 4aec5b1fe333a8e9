"""What a component says is to be deleted before an upgrade: jobs, which Kubernetes lets nobody change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.place import Place
from shared.components.helm import Deletion

PATHS = {"job": "/apis/batch/v1/namespaces/{}/jobs", "cronjob": "/apis/batch/v1/namespaces/{}/cronjobs"}
PATHS["pod"] = "/api/v1/namespaces/{}/pods"
PAUSE_SECONDS = 0.5


MOST_NAMED = 10

Tell = Callable[[str], None]
"""Hears what is waited for."""


async def clear(cluster: Cluster, place: Place, deletions: Sequence[Deletion], tell: Tell, seconds: float) -> None:
    """Delete them with what belongs to them, and wait until they are gone, `seconds` at most for all; again is no harm.

    Raises Failed, also where something stays: a finalizer, of whatever is to clear up after it, keeps it for ever.
    """
    until = time.monotonic() + seconds
    for deletion in deletions:
        path = PATHS[deletion.kind].format(place.namespace)
        selector = ",".join(f"{key}={value}" for key, value in deletion.labels.items())
        while left := await cluster.list(path, metadata_only=True, labelSelector=selector):
            named = _named(deletion, left)
            if time.monotonic() > until:
                raise Failed("still_there", f"deleted before the upgrade, and after {seconds:g} s still there: {named}")
            tell(f"waits until it is gone: {named}")
            await cluster.ask("DELETE", path, {"labelSelector": selector, "propagationPolicy": "Background"})
            await asyncio.sleep(PAUSE_SECONDS)


def _named(deletion: Deletion, left: Sequence[Mapping[str, Any]]) -> str:
    """What is left, each with what keeps it."""
    each = [one.get("metadata") or {} for one in left]
    said = [f"{deletion.kind} {one.get('name')}{_kept(one.get('finalizers') or ())}" for one in each[:MOST_NAMED]]
    return ", ".join(said) + (f" and {len(each) - MOST_NAMED} more" if len(each) > MOST_NAMED else "")


def _kept(finalizers: Sequence[str]) -> str:
    return f" (kept by its finalizers {', '.join(finalizers)})" if finalizers else ""
