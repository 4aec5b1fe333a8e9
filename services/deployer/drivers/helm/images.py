"""The images that a release needs and does not have, and the pods that have nodes pull them ahead of it. Pure.

Such a pod never runs: its command exists in no image. So the kubelet pulls, fails to start, and is done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.deployer.drivers.helm.affinity import admits
from services.deployer.drivers.helm.manifest import changing_hooks, objects
from services.deployer.drivers.helm.rollout import time_of
from shared.components.helm_asked import images_in, pods_of
from shared.components.images import image_of

Object = Mapping[str, Any]

ONLY_PULLS = ("/belay/only-pulls",)
"""A command that no image has."""

MANAGED_BY, IMAGES_LABEL = "app.kubernetes.io/managed-by", "belay-images"
"""Labels of such pods; the second tells which images, and how they are pulled."""

NOBODY = 65_534

SILENT_SECONDS = 60.0
"""A node that is not ready for longer does not pull; one that is busy may miss a heartbeat."""

UNWELL = "node.kubernetes.io/"
"""What taints begin with that Kubernetes itself puts on a node, and takes off, by how it is."""

FULL = "node.kubernetes.io/disk-pressure"

_WITH_RIGHTS = ("serviceAccountName", "imagePullSecrets", "nodeSelector", "tolerations", "runtimeClassName")
"""What of a workload's pod decides who may pull its images, and where."""

_PLACEMENT = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Images that are pulled with the same rights for the same nodes."""

    namespace: str
    manner: str
    """What of the pods' specs decides that, as JSON."""
    images: tuple[str, ...]

    @property
    def pod(self) -> dict[str, Any]:
        """The same as part of a pod's spec."""
        found: dict[str, Any] = json.loads(self.manner)
        return found

    @property
    def digest(self) -> str:
        """The same for every site that pulls these images so."""
        return _digest([self.manner, *self.images])

    @property
    def selector(self) -> str:
        """Of nodes, by their labels."""
        return ",".join(f"{key}={value}" for key, value in sorted((self.pod.get("nodeSelector") or {}).items()))

    @property
    def pull_secrets(self) -> list[str]:
        """By their names."""
        return [str(each.get("name")) for each in self.pod.get("imagePullSecrets") or ()]


def wanted(manifest: str, hooks: Iterable[Object], namespace: str, there: Collection[str]) -> list[Wanted]:
    """What a release needs beyond the images that are `there`, those of its hooks, too."""
    groups: dict[tuple[str, str], set[str]] = {}
    for where, pod in _pods(manifest, hooks, namespace):
        if images := {image for image in images_in(pod) if canonical(image) not in there}:
            groups.setdefault((where, _manner(pod)), set()).update(images)
    return [Wanted(where, manner, tuple(sorted(images))) for (where, manner), images in sorted(groups.items())]


def named(manifest: str, hooks: Iterable[Object]) -> frozenset[str]:
    """All images that a release names, whatever form their names have."""
    return frozenset(canonical(image) for _, pod in _pods(manifest, hooks, "") for image in images_in(pod))


def _pods(manifest: str, hooks: Iterable[Object], namespace: str) -> Iterator[tuple[str, dict[str, Any]]]:
    run = [hook for hook in hooks if changing_hooks([hook])]
    for text in (manifest, *(str(hook.get("manifest") or "") for hook in run)):
        for one in objects(text):
            where = str((one.get("metadata") or {}).get("namespace") or namespace)
            yield from ((where, pod) for pod in pods_of(one))


def _manner(pod: Object) -> str:
    kept = {key: pod[key] for key in _WITH_RIGHTS if pod.get(key)}
    affinity = ((pod.get("affinity") or {}).get("nodeAffinity") or {}).get(_PLACEMENT)
    return json.dumps({**kept, **({"affinity": affinity} if affinity else {})}, sort_keys=True)


def canonical(text: str) -> str:
    """The one name of an image that kubelets know by several."""
    try:
        image = image_of(text)
    except ValueError:
        return text  # the kubelet says what is wrong with it
    if image.registry:
        return image.by_digest
    return f"docker.io/{'' if '/' in image.name else 'library/'}{image.by_digest}"


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


# -- nodes --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Node:
    """A node that may get pods."""

    name: str
    images: frozenset[str] = frozenset()
    """Those that it says it has: of many only the largest."""
    full: bool = False
    """It says that its disk is."""


def nodes_for(wanted: Wanted, found: Iterable[Object]) -> list[Node]:
    """Those of the nodes that take its pods now: the scheduler sends none to the others either."""
    pod = wanted.pod
    tolerations, placement = pod.get("tolerations") or (), pod.get("affinity") or {}
    fit = [each for each in found if _takes_pods(each) and admits(placement, each)]
    return [_node(each) for each in fit if _tolerated(each, tolerations, but_for=FULL)]


def admitted(wanted: Wanted, found: Iterable[Object]) -> bool:
    """Whether one of the nodes would take its pods if it were well: else nothing is missed."""
    pod = wanted.pod
    tolerations, placement = pod.get("tolerations") or (), pod.get("affinity") or {}
    return any(admits(placement, each) and _tolerated(each, tolerations, but_for=UNWELL) for each in found)


def lacking(wanted: Wanted, node: Node) -> tuple[str, ...]:
    """The images that a node does not say it has."""
    return tuple(image for image in wanted.images if canonical(image) not in node.images)


def _node(each: Object) -> Node:
    names = [name for image in (each.get("status") or {}).get("images") or () for name in image.get("names") or ()]
    return Node(str(each["metadata"]["name"]), frozenset(map(canonical, names)), _is_full(each))


def _takes_pods(each: Object) -> bool:
    return not (each.get("spec") or {}).get("unschedulable") and _condition(each, "Ready")


def is_silent(node: Object | None, now: float) -> bool:
    """Whether a node is gone, or has not answered for a while; `now` by the cluster's clock."""
    conditions = ((node or {}).get("status") or {}).get("conditions") or ()
    ready: Object = next((one for one in conditions if one.get("type") == "Ready"), {})
    return ready.get("status") != "True" and now - time_of(ready.get("lastTransitionTime")) > SILENT_SECONDS


def _is_full(each: Object) -> bool:
    return _condition(each, "DiskPressure")


def _condition(each: Object, kind: str) -> bool:
    conditions = (each.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == kind and one.get("status") == "True" for one in conditions)


def _tolerated(each: Object, tolerations: Sequence[Object], but_for: str) -> bool:
    taints = [one for one in (each.get("spec") or {}).get("taints") or () if one.get("effect") != "PreferNoSchedule"]
    judged = (taint for taint in taints if not str(taint.get("key")).startswith(but_for))
    return all(any(_tolerates(one, taint) for one in tolerations) for taint in judged)


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")


# -- pods ---------------------------------------------------------------------------------------------------------


def pod_name(wanted: Wanted, node: str, images: Sequence[str]) -> str:
    """The same for whoever has this node pull these images, so that nothing is made twice."""
    return f"belay-images-{_digest([wanted.digest, node, *images])}"


def pod_of(wanted: Wanted, node: str, images: Sequence[str], labels: Mapping[str, str], seconds: float) -> Object:
    """A pod that has a node pull images; it ends by itself after `seconds`. Pod Security `restricted` admits it."""
    own = wanted.pod
    placement = own.pop("affinity", {})
    never = {MANAGED_BY: "belay", IMAGES_LABEL: wanted.digest, "sidecar.istio.io/inject": "false", **labels}
    spec = {
        **own,
        "affinity": {"nodeAffinity": {_PLACEMENT: {"nodeSelectorTerms": _on(node, placement)}}},
        "containers": [_container(f"image-{nth}", image) for nth, image in enumerate(images)],
        "restartPolicy": "Never",
        "activeDeadlineSeconds": int(seconds),
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": NOBODY, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    metadata = {
        "name": pod_name(wanted, node, images),
        "labels": never,
        "annotations": {"linkerd.io/inject": "disabled"},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _on(node: str, placement: Object) -> list[Object]:
    """The workload's own demands, each with that for this node: the scheduler knows best which nodes they leave."""
    only = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = placement.get("nodeSelectorTerms") or [{}]
    return [{**term, "matchFields": [*(term.get("matchFields") or ()), only]} for term in terms]


def _container(name: str, image: str) -> Object:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(ONLY_PULLS),
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"cpu": "10m", "memory": "32Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
