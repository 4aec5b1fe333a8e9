"""When workloads count as rolled out, and what is told of those that do not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.drivers.helm import rollout, trouble

count = st.integers(0, 5)


def deployment(**changes: Any) -> dict[str, Any]:
    status = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
    return {"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status | changes}


@pytest.mark.parametrize(
    ("status", "waits_for"),
    [
        ({}, ""),
        ({"observedGeneration": 1}, "its controller has not seen the change"),
        ({"updatedReplicas": 1}, "1 of 3 replicas are new"),
        ({"replicas": 4}, "1 old replicas have yet to end"),
        ({"availableReplicas": 2}, "2 of 3 new replicas are available"),
    ],
)
def test_a_deployment_is_done_when_all_its_replicas_are_new_and_available(
    status: dict[str, Any], waits_for: str
) -> None:
    found = rollout.standing(deployment(**status))
    assert (found.waits_for, found.done) == (waits_for, not waits_for)


def test_a_deployment_without_progress_is_stuck() -> None:
    conditions = [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "has timed out"}]
    assert rollout.standing(deployment(updatedReplicas=1, conditions=conditions)).stuck


def test_a_deployment_that_somebody_paused_is_left_as_it_is() -> None:
    paused = deployment(updatedReplicas=0)
    assert rollout.standing({**paused, "spec": {"paused": True}}).done


@pytest.mark.parametrize(
    ("has", "asked", "told"),
    [
        (0, 3, "it was scaled to 0, and its chart asks for 3"),
        (2, 3, "it was scaled to 2, and its chart asks for 3"),
        (None, 3, "it was scaled to 1, and its chart asks for 3"),
        (3, 3, ""),
        (5, 3, ""),
        (0, 0, ""),
        (0, None, ""),
    ],
)
def test_a_workload_is_scaled_down_when_it_is_to_have_fewer_replicas_than_its_chart_asks_for(
    has: int | None, asked: int | None, told: str
) -> None:
    assert rollout.scaled_down({"spec": {} if has is None else {"replicas": has}}, asked) == told


def stateful_set(strategy: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    told = {
        "observedGeneration": 1,
        "readyReplicas": 3,
        "updatedReplicas": 3,
        "currentRevision": "b",
        "updateRevision": "b",
    }
    spec = {"replicas": 3, "updateStrategy": strategy or {"type": "RollingUpdate"}}
    return {"kind": "StatefulSet", "metadata": {"generation": 1}, "spec": spec, "status": told | status}


def test_a_stateful_set_is_done_as_far_as_its_partition_says() -> None:
    assert rollout.standing(stateful_set()).done
    assert not rollout.standing(stateful_set(readyReplicas=2)).done
    assert not rollout.standing(stateful_set(currentRevision="a")).done
    partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    assert rollout.standing(stateful_set(partition, updatedReplicas=1, currentRevision="a")).done
    assert rollout.standing(stateful_set({"type": "OnDelete"}, updatedReplicas=0, currentRevision="a")).done


def test_a_daemon_set_is_done_when_each_node_has_a_new_pod() -> None:
    status = {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}
    made = {"kind": "DaemonSet", "metadata": {"generation": 1}, "status": status}
    assert rollout.standing(made).done
    assert not rollout.standing({**made, "status": status | {"updatedNumberScheduled": 1}}).done
    assert not rollout.standing({**made, "status": status | {"numberAvailable": 1}}).done


def test_a_job_is_done_when_it_completed_and_stuck_when_it_failed() -> None:
    def job(**status: Any) -> dict[str, Any]:
        return {"kind": "Job", "spec": {"completions": 2}, "status": status}

    assert not rollout.standing(job(succeeded=1)).done
    assert rollout.standing(job(conditions=[{"type": "Complete", "status": "True"}])).done
    failed = rollout.standing(job(conditions=[{"type": "Failed", "status": "True", "message": "too often"}]))
    assert (failed.code, failed.stuck) == ("job_failed", "it failed: too often")


def test_what_is_gone_or_going_is_stuck() -> None:
    assert rollout.standing(None).code == "gone"
    assert rollout.standing({**deployment(), "metadata": {"deletionTimestamp": "now"}}).code == "gone"


workload = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "Job"]),
        "metadata": st.fixed_dictionaries({}, optional={"generation": count}),
    },
    optional={
        "spec": st.dictionaries(st.sampled_from(["replicas", "completions", "paused", "suspend"]), count)
        | st.none(),
        "status": st.dictionaries(
            st.sampled_from(
                ["observedGeneration", "replicas", "updatedReplicas", "availableReplicas", "readyReplicas", "succeeded"]
            ),
            count,
        )
        | st.none(),
    },
)  # fmt: skip


@given(st.lists(workload, max_size=4))
def test_whatever_the_api_says_there_is_an_answer_within_bounds(workloads: list[dict[str, Any]]) -> None:
    standings = [rollout.standing(each) for each in workloads]
    assert 0 <= rollout.per_cent(standings) <= 100
    all_done = all(each.done for each in standings)
    assert (rollout.sentence(zip("abcd", standings, strict=False)) == "all workloads are ready") == all_done


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1"}, "status": status}


def waiting(reason: str) -> dict[str, Any]:
    return pod(containerStatuses=[{"name": "app", "state": {"waiting": {"reason": reason, "message": "m"}}}])


@pytest.mark.parametrize(("reason", "code"), trouble.REASONS.items())
def test_what_a_container_waits_for_is_the_cause(reason: str, code: str) -> None:
    [found] = trouble.troubles([], [waiting(reason)], [])
    assert (found.code, found.sentence) == (code, f"pod web-1, container app: {reason}: m")


def test_a_quota_is_told_from_other_reasons_why_no_pod_is_made() -> None:
    def failing(message: str) -> dict[str, Any]:
        condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
        return {"status": {"conditions": [condition]}}

    assert trouble.troubles([failing("exceeded quota: few")], [], [])[0].code == "quota_exceeded"
    assert trouble.troubles([failing("forbidden")], [], [])[0].code == "not_created"


def test_warnings_are_evidence_the_last_one_last() -> None:
    def event(kind: str, moment: str) -> dict[str, Any]:
        about = {"kind": "Pod", "name": "web-1"}
        return {"type": kind, "reason": "Failed", "message": moment, "lastTimestamp": moment, "involvedObject": about}

    lines = trouble.evidence(
        [pod(phase="Pending")], [event("Warning", "2"), event("Normal", "3"), event("Warning", "1")]
    )
    assert lines == ("pod web-1: Pending, not ready", "pod/web-1: Failed: 1", "pod/web-1: Failed: 2")
