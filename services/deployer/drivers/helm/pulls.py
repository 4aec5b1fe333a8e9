"""How the pull of images by a pod stands, by what the kubelet and the scheduler say of the pod. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.deployer.drivers.helm import images
from services.deployer.drivers.helm.images import Node, Wanted
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

GIVEN_UP = "ContainerStatusUnknown"
"""What a kubelet says of containers that it has not begun when it ends their pod: nothing was pulled for them."""

LEAVING_SECONDS = 60.0
"""A pod that is being deleted for longer lies on a node that does not answer."""

UNPLACED_SECONDS = 300.0
"""A scheduler that has said nothing of a pod for longer is not there."""

LATE_SECONDS = 120.0
"""So long after its time was up no kubelet has a pod under way: it ends it, if there is one."""

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
    late: bool = False
    """Its time is up, and nobody said why."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why a node, or all of them, are not the place to pull now; that says nothing against the images."""

    words: str
    nothing_runs: bool = False
    """There is nothing yet that a failed pull could hurt."""


UNPLACED = LeftOut("its pod does not come to the node: no scheduler looks at it, or somebody deletes it")
SILENT = LeftOut("its node does not answer")
NO_NAMESPACE = LeftOut("its namespace is not there yet, so nothing runs there", nothing_runs=True)

Standing = UnderWay | Absent | Here | Refused | LeftOut


def standing(pod: Object | None, now: float) -> Standing:
    """How it stands; `now` by the cluster's clock. None = the API does not know the pod."""
    if pod is None:
        return Absent()
    if deleted := (pod.get("metadata") or {}).get("deletionTimestamp"):
        return SILENT if now - time_of(deleted) > LEAVING_SECONDS else Absent()
    status = pod.get("status") or {}
    if refused := min(_refused(pod, status), key=lambda each: each.passing, default=None):
        return refused
    containers = list(_own(pod, status))
    if containers and all(map(_is_pulled, containers)):
        return Here()
    if status.get("phase") in ("Failed", "Succeeded"):
        return _ended(status)
    return _unschedulable(status) or _unplaced(pod, now) or UnderWay(_words(containers))


def _own(pod: Object, status: Object) -> Iterator[Object]:
    """Of the containers that Belay asked for, not of what others put beside them."""
    found = {each.get("name"): each for each in status.get("containerStatuses") or ()}
    yield from (found.get(each["name"]) or {} for each in pod["spec"]["containers"] if _is_ours(each))


def _is_ours(container: Object) -> bool:
    return str(container.get("name")).startswith("image-")


def _is_pulled(container: Object) -> bool:
    state = container.get("state") or {}
    behind = (state.get("waiting") or {}).get("reason") in PULLED
    ended = (state.get("terminated") or {}).get("reason", GIVEN_UP) != GIVEN_UP
    return bool(container.get("imageID") or ended or state.get("running") or behind)


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
    too_late = status.get("reason") == "DeadlineExceeded"
    return Refused("image_not_pulled", words, late=True) if too_late else LeftOut(words)


def _unschedulable(status: Object) -> LeftOut | None:
    for each in status.get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("reason") in ("Unschedulable", "SchedulingGated"):
            return LeftOut(f"takes no pod: {each.get('message') or 'no reason given'}")
    return None


def _is_placed(pod: Object | None) -> bool:
    return bool(pod and pod["spec"].get("nodeName"))


def _unplaced(pod: Object, now: float) -> LeftOut | None:
    """Where no scheduler works nobody says so, and no kubelet knows of the pod to end it."""
    made = (pod.get("metadata") or {}).get("creationTimestamp")
    late = bool(made) and now - time_of(made) > UNPLACED_SECONDS
    return UNPLACED if late and not _is_placed(pod) else None


def pulls_again(image: str, events: Iterable[Object]) -> bool:
    """Whether the last that was said of an image is that it is being pulled: the pod's own status goes on telling of
    the try before until this one has ended, which may take long."""
    about = [event for event in events if f'"{image}"' in str(event.get("message"))]
    return bool(about) and max(about, key=moment).get("reason") == "Pulling"


def _words(containers: list[Object]) -> str:
    return next((str(each.get("image")) for each in containers if each and not _is_pulled(each)), "")


# -- one node ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Pull:
    """A node that is to have images, and how that stands."""

    wanted: Wanted
    node: Node
    images: tuple[str, ...]
    began: float
    standing: Standing = Absent()
    _refused: Mapping[str, tuple[Refused, float]] = field(default_factory=dict)
    """Those of its images that cannot be pulled now, and since when: each has the time of a registry for itself."""
    _placed: bool = False

    @property
    def name(self) -> str:
        return images.pod_name(self.wanted, self.node.name, self.images)

    @property
    def over(self) -> bool:
        return isinstance(self.standing, Here | LeftOut)

    def saw(self, pod: Object | None, by_cluster: float, now: float) -> None:
        """Its pod, or that there is none. An image that was refused and is no more has come, or is on its way."""
        self.standing, self._placed = standing(pod, by_cluster), _is_placed(pod)
        those = _refused(pod, pod.get("status") or {}) if pod else ()
        self._refused = {each.image: (each, self._since(each.image, now)) for each in those}

    def _since(self, image: str, now: float) -> float:
        return self._refused[image][1] if image in self._refused else now

    def saw_node(self, *, answers: bool, now: float, seconds: float) -> None:
        """Whether its node does; where no kubelet is, none ends its pod after `seconds`."""
        if not answers:
            self.standing = SILENT
        elif now - self.began > seconds + LATE_SECONDS:
            words = f"its images are not there after {now - self.began:.0f} s"
            self.standing = Refused("image_not_pulled", words, late=True) if self._placed else UNPLACED

    def overdue(self, now: float, patience: float) -> list[Refused]:
        """What is refused for good, or has been for longer than a registry is waited for."""
        if not isinstance(self.standing, Refused):
            return []
        if not self.standing.passing:
            return [self.standing]
        return [each for each, since in self._refused.values() if now - since > patience]
