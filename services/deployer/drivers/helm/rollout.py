"""Whether a workload has rolled out, by what the API says of it: the rules of `kubectl rollout status`. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.deployer.drivers.helm.manifest import Workload

Object = Mapping[str, Any]


MISSED_DEADLINE = "not_ready"
"""The code of a workload that did not get ready in its own time; the release before may have missed it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a workload stands: `ready` of `wanted`, why it is not done yet, why it never will be."""

    ready: int
    wanted: int
    waits_for: str = ""
    stuck: str = ""
    code: str = MISSED_DEADLINE
    """What it is called when it is stuck."""
    said_at: float = 0.0
    """When the cluster said so, by its clock; 0 = it does not tell."""

    @property
    def done(self) -> bool:
        return not self.waits_for and not self.stuck


ENDED = Standing(1, 1)
"""Of a Job that has ended and was taken away."""


def standing(workload: Object | None, *, deleted_by_ttl: bool = False) -> Standing:
    """How a workload stands. None = the API does not know it."""
    if deleted_by_ttl and (workload is None or _part(workload, "metadata").get("deletionTimestamp")):
        judged = _job(workload or {})
        return judged if judged.stuck else ENDED
    if workload is None:
        return Standing(0, 1, stuck="it is not there any more", code="gone")
    if _part(workload, "metadata").get("deletionTimestamp"):
        return Standing(0, 1, stuck="it is being deleted", code="gone")
    return _JUDGES[workload["kind"]](workload)


@dataclass(frozen=True, slots=True)
class Scaled:
    """What an autoscaler scales, and when it last did, in seconds; 0 = never."""

    workload: Workload
    at: float
    least: int
    """So many replicas serve at least, 1 or more."""


def scaled_by(scaler: Object) -> Scaled:
    """What a HorizontalPodAutoscaler says of its target."""
    target = _part(_part(scaler, "spec"), "scaleTargetRef")
    workload = Workload(
        str(target.get("kind")), str(_part(scaler, "metadata").get("namespace")), str(target.get("name"))
    )
    last = _part(scaler, "status").get("lastScaleTime")
    least = max(1, _number(_part(scaler, "spec"), "minReplicas", 1))
    return Scaled(workload, time_of(last), least)


def time_of(said: Any) -> float:
    """A time as the API writes it, in seconds; 0 = none."""
    return datetime.fromisoformat(str(said)).timestamp() if said else 0.0


def scaled_down(workload: Object | None, asked: int | None) -> str:
    """What is said of a workload that is to have fewer replicas than its chart asks for; empty = it is not.

    More are left alone: autoscalers of every kind make more, and so do people in need, and all of them serve.
    """
    has = _number(_part(workload or {}, "spec"), "replicas", 1)
    return f"it was scaled to {has}, and its chart asks for {asked}" if asked is not None and has < asked else ""


def per_cent(standings: Sequence[Standing]) -> int:
    """How far they are together, 0 to 100."""
    wanted = sum(each.wanted for each in standings)
    ready = sum(min(each.ready, each.wanted) for each in standings)
    return 100 if not wanted else 100 * ready // wanted


def _deployment(workload: Object) -> Standing:
    spec, status = _part(workload, "spec"), _part(workload, "status")
    wanted = _number(spec, "replicas", 1)
    updated, available = _number(status, "updatedReplicas"), _number(status, "availableReplicas")
    ready, waits_for = min(updated, available), ""
    if spec.get("paused"):
        return Standing(available, wanted)  # whoever paused it wants it as it is
    if _unobserved(workload):
        return Standing(0, wanted, "its controller has not seen the change")
    if missed := _deadline_exceeded(status):
        stuck = f"it makes no progress: {_said(missed)}"
        return Standing(ready, wanted, stuck=stuck, said_at=time_of(missed.get("lastUpdateTime")))
    if updated < wanted:
        waits_for = f"{updated} of {wanted} replicas are new"
    elif (old := _number(status, "replicas") - updated) > 0:
        waits_for = f"{old} old replicas have yet to end"
    elif available < updated:
        waits_for = f"{available} of {updated} new replicas are available"
    return Standing(ready, wanted, waits_for)


def _stateful_set(workload: Object) -> Standing:
    spec, status = _part(workload, "spec"), _part(workload, "status")
    wanted = _number(spec, "replicas", 1)
    ready, updated = _number(status, "readyReplicas"), _number(status, "updatedReplicas")
    strategy = _part(spec, "updateStrategy")
    if _unobserved(workload):
        return Standing(0, wanted, "its controller has not seen the change")
    if ready < wanted:
        return Standing(ready, wanted, f"{ready} of {wanted} replicas are ready")
    if strategy.get("type") == "OnDelete":
        return Standing(ready, wanted)  # its pods are replaced by whoever deletes them
    kept = _number(_part(strategy, "rollingUpdate"), "partition")
    if updated < wanted - kept:
        return Standing(updated, wanted, f"{updated} of {wanted - kept} replicas are new")
    if not kept and status.get("updateRevision") != status.get("currentRevision"):
        return Standing(ready, wanted, "its rollout has yet to end")
    return Standing(ready, wanted)


def _daemon_set(workload: Object) -> Standing:
    status = _part(workload, "status")
    wanted, available = _number(status, "desiredNumberScheduled"), _number(status, "numberAvailable")
    updated = _number(status, "updatedNumberScheduled")
    if _unobserved(workload):
        return Standing(0, max(wanted, 1), "its controller has not seen the change")
    on_delete = _part(_part(workload, "spec"), "updateStrategy").get("type") == "OnDelete"
    if updated < wanted and not on_delete:
        return Standing(min(updated, available), wanted, f"{updated} of {wanted} pods are new")
    if available < wanted:
        return Standing(available, wanted, f"{available} of {wanted} pods are available")
    return Standing(available, wanted)


def _job(workload: Object) -> Standing:
    spec, status = _part(workload, "spec"), _part(workload, "status")
    wanted, succeeded = _number(spec, "completions", 1), _number(status, "succeeded")
    conditions = {each.get("type"): each for each in status.get("conditions") or () if each.get("status") == "True"}
    if failed := conditions.get("Failed"):
        return Standing(succeeded, wanted, stuck=f"it failed: {_said(failed)}", code="job_failed")
    if "Complete" in conditions or spec.get("suspend"):
        return Standing(wanted, wanted)
    return Standing(succeeded, wanted, f"{succeeded} of {wanted} runs have succeeded")


_JUDGES: Mapping[str, Callable[[Object], Standing]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
}


def _unobserved(workload: Object) -> bool:
    generation = _number(_part(workload, "metadata"), "generation")
    return _number(_part(workload, "status"), "observedGeneration") < generation


def _deadline_exceeded(status: Object) -> Object | None:
    for each in status.get("conditions") or ():
        if each.get("type") == "Progressing" and each.get("reason") == "ProgressDeadlineExceeded":
            return each  # type: ignore[no-any-return]
    return None


def _said(condition: Object) -> str:
    return str(condition.get("message") or condition.get("reason") or "no reason given")


def _part(of: Object, name: str) -> Object:
    found = of.get(name)
    return found if isinstance(found, Mapping) else {}


def _number(of: Object, name: str, default: int = 0) -> int:
    found = of.get(name)
    return found if isinstance(found, int) else default


def sentence(standings: Iterable[tuple[object, Standing]]) -> str:
    """What is told of them while they roll out: the first that is not done."""
    waiting = [(name, each) for name, each in standings if not each.done]
    if not waiting:
        return "all workloads are ready"
    name, first = waiting[0]
    more = f", and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    return f"{name}: {first.stuck or first.waits_for}{more}"
