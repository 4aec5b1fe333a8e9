"""Why a workload does not become ready, by what its pods and the events beside them say. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]

REASONS = {
    "ImagePullBackOff": "image_not_pulled",
    "ErrImagePull": "image_not_pulled",
    "InvalidImageName": "image_not_pulled",
    "ErrImageNeverPull": "image_not_pulled",
    "CrashLoopBackOff": "crashing",
    "CreateContainerConfigError": "bad_container",
    "CreateContainerError": "bad_container",
    "RunContainerError": "bad_container",
}
"""What Kubernetes calls it, and what the driver's codes do."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A cause, and the sentence it is told in."""

    code: str
    sentence: str


def troubles(workloads: Iterable[Object], pods: Sequence[Object], events: Sequence[Object]) -> list[Trouble]:
    """Everything that keeps them from being ready, the most telling first."""
    found = [*_of_containers(pods), *_of_quota(workloads, events), *_of_scheduling(pods)]
    found += [Trouble("not_ready", f"pod {_name(pod)}: not ready") for pod in pods if not found and not is_ready(pod)]
    return found


def evidence(pods: Sequence[Object], events: Sequence[Object]) -> tuple[str, ...]:
    """Last lines for people: how each pod stands, and the warnings beside it."""
    lines = [line for pod in pods for line in _lines_of(pod)]
    return tuple(lines + [_line_of(event) for event in sorted(events, key=moment) if event.get("type") == "Warning"])


def is_ready(pod: Object) -> bool:
    """By its own condition, or because it has ended well."""
    status = pod.get("status") or {}
    return status.get("phase") == "Succeeded" or any(
        each.get("type") == "Ready" and each.get("status") == "True" for each in status.get("conditions") or ()
    )


def _of_containers(pods: Sequence[Object]) -> Iterator[Trouble]:
    for pod in pods:
        for container, waiting in _waiting(pod):
            if code := REASONS.get(str(waiting.get("reason"))):
                yield Trouble(code, f"pod {_name(pod)}, container {container}: {_said(waiting)}")


def _of_scheduling(pods: Sequence[Object]) -> Iterator[Trouble]:
    for pod in pods:
        for each in (pod.get("status") or {}).get("conditions") or ():
            if each.get("type") == "PodScheduled" and each.get("status") == "False":
                yield Trouble("unschedulable", f"pod {_name(pod)}: {_said(each)}")


def _of_quota(workloads: Iterable[Object], events: Sequence[Object]) -> Iterator[Trouble]:
    """A Deployment says so itself; for a StatefulSet or a Job there is only the event of its controller."""
    said = [_said(c) for w in workloads for c in (w.get("status") or {}).get("conditions") or () if _is_failure(c)]
    said += [_said(event) for event in events if event.get("reason") in ("FailedCreate", "Failed")]
    for text in said:
        yield Trouble("quota_exceeded" if "exceeded quota" in text else "not_created", text)


def _is_failure(condition: Object) -> bool:
    return condition.get("type") == "ReplicaFailure" and condition.get("status") == "True"


def _waiting(pod: Object) -> Iterator[tuple[str, Object]]:
    status = pod.get("status") or {}
    for each in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        if waiting := (each.get("state") or {}).get("waiting"):
            yield str(each.get("name")), waiting


def _lines_of(pod: Object) -> Iterator[str]:
    phase = (pod.get("status") or {}).get("phase", "Unknown")
    yield f"pod {_name(pod)}: {phase}, {'ready' if is_ready(pod) else 'not ready'}"
    for container, waiting in _waiting(pod):
        yield f"pod {_name(pod)}, container {container}: {_said(waiting)}"


def _line_of(event: Object) -> str:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name')}: {_said(event)}"


def moment(event: Object) -> str:
    """When an event was last seen; later ones sort behind."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def _said(of: Object) -> str:
    reason, message = of.get("reason"), of.get("message")
    return f"{reason}: {message}" if reason and message else str(message or reason or "no reason given")


def _name(pod: Object) -> str:
    return str((pod.get("metadata") or {}).get("name"))
