"""How the pull of images by a pod stands, by what the kubelet and the scheduler say of the pod. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.deployer.drivers.helm.rollout import time_of
from services.deployer.drivers.helm.trouble import moment
from services.deployer.drivers.pulls.refusals import PASSING_PULLS, code_of_pull

Object = Mapping[str, Any]

NOT_PULLED = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable",
     "ImageInspectError", "SignatureValidationFailed"}
)  # fmt: skip
"""What kubelets call a pull that failed."""

FOR_GOOD = frozenset({"InvalidImageName", "ErrImageNeverPull"})
"""Those of them that no second try helps."""

PULLED = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"})
"""What comes behind the pull, as a command that is not there does: the image is on the node."""

LEAVING_SECONDS = 60.0
"""A pod that is being deleted for longer lies on a node that does not answer."""

NO_DISK = ("diskpressure", "ephemeral-storage", "no space left on device")


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The node pulls, or has yet to begin."""

    words: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such pod."""


@dataclass(frozen=True, slots=True)
class Here:
    """Its images are on the node."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An image cannot be pulled."""

    code: str
    words: str
    passing: bool = False
    """The kubelet tries again, and may fare better."""
    image: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why a node, or all of them, are not the place to pull now; that says nothing against the images."""

    words: str
    nothing_runs: bool = False
    """There is nothing yet that a failed pull could hurt."""


NO_NAMESPACE = LeftOut("its namespace is not there yet, so nothing runs there", nothing_runs=True)

Standing = UnderWay | Absent | Here | Refused | LeftOut


def standing(pod: Object | None, now: float) -> Standing:
    """How it stands; `now` by the cluster's clock. None = the API does not know the pod."""
    if pod is None:
        return Absent()
    if deleted := (pod.get("metadata") or {}).get("deletionTimestamp"):
        return LeftOut("its node does not answer") if now - time_of(deleted) > LEAVING_SECONDS else Absent()
    status = pod.get("status") or {}
    if refused := min(_refused(pod, status), key=lambda each: each.passing, default=None):
        return refused
    containers = list(_own(pod, status))
    if containers and all(map(_is_pulled, containers)):
        return Here()
    if status.get("phase") in ("Failed", "Succeeded"):
        return _ended(status)
    return _unschedulable(status) or UnderWay(_words(containers))


def _own(pod: Object, status: Object) -> Iterator[Object]:
    """Of the containers that Belay asked for, not of what others put beside them."""
    found = {each.get("name"): each for each in status.get("containerStatuses") or ()}
    yield from (found.get(each["name"]) or {} for each in pod["spec"]["containers"] if _is_ours(each))


def _is_ours(container: Object) -> bool:
    return str(container.get("name")).startswith("image-")


def _is_pulled(container: Object) -> bool:
    state = container.get("state") or {}
    behind = (state.get("waiting") or {}).get("reason") in PULLED
    return bool(container.get("imageID") or state.get("terminated") or state.get("running") or behind)


def _refused(pod: Object, status: Object) -> Iterator[Refused]:
    for container in _own(pod, status):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if (reason := waiting.get("reason")) in NOT_PULLED:
            image = str(container.get("image"))
            words = f"{image}: {waiting.get('message') or reason}"
            code = code_of_pull(words)
            passing = code in PASSING_PULLS and reason not in FOR_GOOD
            yield Refused("disk_full" if code == "disk_full" else "image_not_pulled", words, passing, image)


def _ended(status: Object) -> Refused | LeftOut:
    words = f"{status.get('reason') or 'the pod has ended'}: {status.get('message') or 'no reason given'}"
    if any(word in words.lower() for word in NO_DISK):
        return Refused("disk_full", words)
    return Refused("image_not_pulled", words) if status.get("reason") == "DeadlineExceeded" else LeftOut(words)


def _unschedulable(status: Object) -> LeftOut | None:
    for each in status.get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("reason") in ("Unschedulable", "SchedulingGated"):
            return LeftOut(f"takes no pod: {each.get('message') or 'no reason given'}")
    return None


def pulls_again(image: str, events: Iterable[Object]) -> bool:
    """Whether the last that was said of an image is that it is being pulled: the pod's own status goes on telling of
    the try before until this one has ended, which may take long."""
    about = [event for event in events if f'"{image}"' in str(event.get("message"))]
    return bool(about) and max(about, key=moment).get("reason") == "Pulling"


def _words(containers: list[Object]) -> str:
    return next((str(each.get("image")) for each in containers if each and not _is_pulled(each)), "")
