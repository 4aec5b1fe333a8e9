"""What a rendered chart brings: its objects, which of them are workloads, and its hooks. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

KINDS = {
    "Deployment": ("apps", "deployments"),
    "StatefulSet": ("apps", "statefulsets"),
    "DaemonSet": ("apps", "daemonsets"),
    "Job": ("batch", "jobs"),
}
"""The workloads whose readiness is waited for: group and plural, as the API names them."""


LATE = frozenset({"post-install", "post-upgrade", "post-rollback"})
EARLY = frozenset({"pre-install", "pre-upgrade", "pre-rollback"})


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    """A workload in a cluster."""

    kind: str
    namespace: str
    name: str
    deleted_by_ttl: bool = field(default=False, compare=False)
    """A Job that Kubernetes deletes by itself some time after its end."""

    @property
    def path(self) -> str:
        """Where the API has it."""
        group, plural = KINDS[self.kind]
        return f"/apis/{group}/v1/namespaces/{self.namespace}/{plural}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


def objects(manifest: str) -> list[dict[str, Any]]:
    """The objects of a manifest as Helm writes it; lists are taken apart. Raises yaml.YAMLError."""
    found: list[dict[str, Any]] = []
    for document in yaml.load_all(manifest, Loader=_Loader):
        found += _flat(document)
    return found


def workloads(manifest: str, namespace: str) -> tuple[Workload, ...]:
    """The workloads of a manifest; those that name no namespace are in that of the release."""
    return tuple(sorted({_workload(each, namespace) for each in objects(manifest) if each.get("kind") in KINDS}))


def replicas(manifest: str, namespace: str) -> dict[Workload, int]:
    """How many replicas a chart asks for, of workloads where it does; one that leaves it to an autoscaler does not."""
    asked = {_workload(one, namespace): (one.get("spec") or {}).get("replicas") for one in _scaled(manifest)}
    return {workload: count for workload, count in asked.items() if isinstance(count, int)}


def _scaled(manifest: str) -> list[dict[str, Any]]:
    return [one for one in objects(manifest) if one.get("kind") in ("Deployment", "StatefulSet")]


def missing(wanted: Iterable[str], there: Sequence[Workload]) -> list[str]:
    """Those names (`deployment/web`) that are not among the workloads."""
    known = {str(each) for each in there}
    return [name for name in wanted if name not in known]


def _workload(each: dict[str, Any], namespace: str) -> Workload:
    metadata = each.get("metadata") or {}
    name, where = str(metadata.get("name")), metadata.get("namespace") or namespace
    return Workload(each["kind"], where, name, deleted_by_ttl=has_ttl(each))


def has_ttl(each: Mapping[str, Any]) -> bool:
    """Whether an object is a Job that Kubernetes deletes by itself: that it is gone is how it ends."""
    return each.get("kind") == "Job" and (each.get("spec") or {}).get("ttlSecondsAfterFinished") is not None


def _flat(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, dict):
        return []
    if document.get("kind") == "List" and isinstance(document.get("items"), list):
        return [one for item in document["items"] for one in _flat(item)]
    return [document]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes reads it: `=` and dates are text there, and a fault or another type here."""


_TEXT = ("tag:yaml.org,2002:value", "tag:yaml.org,2002:timestamp")

_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _TEXT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def late_hooks(hooks: Iterable[Mapping[str, Any]]) -> bool:
    """Whether some of a release's hooks are to run after its rollout."""
    return any(event in LATE for hook in hooks for event in hook.get("events") or ())


def changing_hooks(hooks: Iterable[Mapping[str, Any]]) -> bool:
    """Whether some of them run with a change, and not only as a test or with a removal."""
    return any(event in EARLY | LATE for hook in hooks for event in hook.get("events") or ())
