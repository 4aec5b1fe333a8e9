"""The objects of a release as its manifest has them, against those that are in the cluster. Pure.

What a manifest does not say is not looked at: controllers, autoscalers and people have their fields there. Replicas are
looked at elsewhere (watch.py), for autoscalers set a field that charts give, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.deployer.drivers.helm.differences import MOST_FIELDS, differing
from services.deployer.drivers.helm.manifest import objects

OF_THE_SERVER = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"})
"""Metadata that the API server keeps for itself."""

MERGED_BY_HELM_3 = frozenset(
    {"", "apps", "batch", "autoscaling", "policy"}
    | {f"{name}.k8s.io" for name in ("rbac.authorization", "networking", "storage", "admissionregistration")}
    | {f"{name}.k8s.io" for name in ("scheduling", "coordination", "discovery", "node", "certificates")}
)
"""API groups whose objects Helm 3 compares with what is in the cluster; of others it sees only what charts change."""

NOT_SHOWN = "…"


@dataclass(frozen=True, slots=True)
class Object:
    """An object that a release consists of."""

    group: str
    version: str
    kind: str
    namespace: str
    """That it names itself; empty = that of the release, where its kind lies in namespaces."""
    name: str
    body: Mapping[str, Any]

    @property
    def api(self) -> str:
        """Where the API has its kind."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


def compared(manifest: str, *, by_server: bool) -> list[Object]:
    """The objects of a manifest that can be compared. `by_server`: the API server applied them, as Helm 4 has it; what
    Helm 3 sees no change of, it would not put right either."""
    found = [each for each in map(_object, objects(manifest)) if each]
    return [each for each in found if by_server or each.group in MERGED_BY_HELM_3]


def _object(each: Mapping[str, Any]) -> Object | None:
    metadata = each.get("metadata") or {}
    group, _, version = str(each.get("apiVersion") or "").rpartition("/")
    kind, name = str(each.get("kind") or ""), str(metadata.get("name") or "")
    if not (version and kind and name):
        return None  # the API server gives it a name of its own
    body = {key: value for key, value in _without_nulls(each).items() if key != "status"}
    return Object(group, version, kind, str(metadata.get("namespace") or ""), name, body)


def _without_nulls(value: Any) -> Any:
    """A null says that a field is not there: the API server would take it for one that is."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def changed(each: Object, live: Any, as_released: Any, left_alone: Sequence[str] = ()) -> str:
    """What is said of an object that somebody changed: where, and with values of images, numbers and switches alone,
    for any other may hold a secret. Empty = it is as it was released, or differs in what is left alone."""
    paths = [_said(*one) for one in _differing(live, as_released) if not _leaves(one[0], left_alone)]
    if not paths:
        return ""
    more = f" and {len(paths) - MOST_FIELDS} more" if len(paths) > MOST_FIELDS else ""
    return f"{each} was changed: {', '.join(paths[:MOST_FIELDS])}{more}"


def _differing(live: Any, as_released: Any) -> Iterator[tuple[str, Any, Any]]:
    yield from differing(_comparable(as_released), _comparable(live), "")


def _comparable(each: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in each.items() if key != "status"}
    kept["metadata"] = {k: v for k, v in (each.get("metadata") or {}).items() if k not in OF_THE_SERVER}
    if isinstance(spec := each.get("spec"), Mapping):
        kept["spec"] = {key: value for key, value in spec.items() if key != "replicas"}
    return kept


def _leaves(path: str, left_alone: Sequence[str]) -> bool:
    return any(path == alone or path.startswith((f"{alone}.", f"{alone}[")) for alone in left_alone)


def _said(path: str, released: Any, live: Any) -> str:
    telling = path.endswith(".image") or (not isinstance(released, str) and not isinstance(live, str))
    if not telling or NOT_SHOWN in (shown := (_shown(released), _shown(live))):
        return path
    return f"{path} ({shown[0]} → {shown[1]})"


def _shown(value: Any) -> str:
    return NOT_SHOWN if isinstance(value, Mapping | list) else "nothing" if value is None else str(value)[:120]
