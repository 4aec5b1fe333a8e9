"""Which images nodes are to pull, which nodes, by what pods; and what kubelets say of these pods means."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from services.deployer.drivers.helm import images, pulls
from services.deployer.drivers.helm.pulls import Absent, Here, LeftOut, Refused, UnderWay

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  template:
    spec:
      serviceAccountName: %s
      initContainers: [{name: first, image: busybox}]
      containers: [{name: app, image: %s}]
"""
HOOK = {"events": ["pre-upgrade"], "manifest": DEPLOYMENT % ("hook", "web", "registry.example/hook:1")}
TEST = {"events": ["test"], "manifest": DEPLOYMENT % ("test", "web", "registry.example/test:1")}


def wanted(*manifests: str, there: frozenset[str] = frozenset(), hooks: Any = ()) -> list[images.Wanted]:
    return images.wanted("---".join(manifests), hooks, "shop", there)


def test_workloads_whose_pods_pull_with_the_same_rights_share_a_pod() -> None:
    found = wanted(*(DEPLOYMENT % (name, account, f"registry.example/{name}:1") for name, account in ACCOUNTS))
    assert [each.images for each in found] == [
        ("busybox", "registry.example/a:1", "registry.example/c:1"),
        ("busybox", "registry.example/b:1"),
    ]


ACCOUNTS = (("a", "web"), ("b", "worker"), ("c", "web"))


def test_hooks_that_come_with_a_change_count_and_tests_do_not() -> None:
    [found] = wanted(hooks=[HOOK, TEST])
    assert found.images == ("busybox", "registry.example/hook:1")


def test_what_the_running_release_names_is_not_wanted_in_whatever_form_it_is_named() -> None:
    there = images.named(DEPLOYMENT % ("a", "web", "docker.io/library/nginx:latest"), [])
    assert wanted(DEPLOYMENT % ("a", "web", "nginx"), there=there) == []
    [found] = wanted(DEPLOYMENT % ("a", "web", "nginx:2"), there=there)
    assert found.images == ("nginx:2",)


def test_an_image_is_known_by_every_name_that_a_kubelet_gives_it() -> None:
    for name in ("nginx", "nginx:latest"):
        assert images.canonical(name) == "docker.io/library/nginx:latest"
    assert images.canonical("team/app:1") == "docker.io/team/app:1"
    assert images.canonical("localhost:5000/app") == "localhost:5000/app:latest"
    assert images.canonical("No Image") == "No Image"


# -- nodes ------------------------------------------------------------------------------------------------------------


def node(taints: Any = (), **spec: Any) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"name": "n"}, "spec": {"taints": list(taints), **spec}, "status": status}


def of_pod(**spec: Any) -> images.Wanted:
    pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "a:1"}], **spec}}
    [found] = wanted(yaml.safe_dump(pod))
    return found


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("tolerations", "takes"),
    [
        ([], False),
        ([{"key": "gpu", "value": "yes"}], True),
        ([{"key": "gpu", "value": "no"}], False),
        ([{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}], True),
        ([{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}], False),
        ([{"operator": "Exists"}], True),
    ],
)
def test_a_node_whose_taints_the_workload_does_not_tolerate_is_left_out(tolerations: Any, takes: bool) -> None:
    assert bool(images.nodes_for(of_pod(tolerations=tolerations), [node([TAINT])])) is takes


FULL = {"conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "DiskPressure")]}
PRESSURE = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}


def test_a_node_without_room_is_told_apart_only_where_it_is_one_for_the_workload() -> None:
    [found] = images.nodes_for(of_pod(), [{**node([PRESSURE]), "status": FULL}])
    assert found.full
    assert images.nodes_for(of_pod(), [{**node([PRESSURE, TAINT]), "status": FULL}]) == []


def test_what_no_node_could_take_even_if_it_were_well_is_not_missed() -> None:
    cordoned = node([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}], unschedulable=True)
    assert images.admitted(of_pod(), [cordoned])
    assert not images.admitted(of_pod(), [node([TAINT])])
    assert not images.admitted(of_pod(), [])


def test_nodes_that_are_cordoned_or_not_ready_are_left_out_and_a_preference_is_none() -> None:
    silent = {**node(), "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
    assert images.nodes_for(of_pod(), [node(unschedulable=True), silent]) == []
    assert images.nodes_for(of_pod(), [node([{**TAINT, "effect": "PreferNoSchedule"}])])


def test_a_node_selector_is_the_servers_to_judge_and_an_affinity_goes_into_the_pod_too() -> None:
    terms = [{"matchExpressions": [{"key": "arch", "operator": "In", "values": ["arm64"]}]}, {}]
    placement = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    found = of_pod(nodeSelector={"disk": "fast", "arch": "arm64"}, affinity={"nodeAffinity": placement})
    assert found.selector == "arch=arm64,disk=fast"
    pod = images.pod_of(found, "n1", found.images, {}, 60)
    here = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    [(_, only)] = pod["spec"]["affinity"]["nodeAffinity"].items()
    assert only["nodeSelectorTerms"] == [{**terms[0], **here}, here]


def test_a_pod_has_the_same_name_for_whoever_makes_it_and_another_for_other_images_or_nodes() -> None:
    one, other = of_pod(), of_pod(serviceAccountName="web")
    assert images.pod_name(one, "n1", ["a:1"]) == images.pod_name(of_pod(), "n1", ["a:1"])
    few, more = ["a:1"], ["a:1", "b:1"]  # a pod that was left behind says nothing of images that it never had
    names = {images.pod_name(w, n, i) for w in (one, other) for n in ("n1", "n2") for i in (few, more)}
    assert len(names) == 8


# -- pods -------------------------------------------------------------------------------------------------------------

NOW = 1_800_000_000.0


def pod(*states: dict[str, Any], **status: Any) -> dict[str, Any]:
    names = [f"image-{nth}" for nth, _ in enumerate(states)]
    said = [{"name": name, "image": "a:1", **state} for name, state in zip(names, states, strict=True)]
    containers = [{"name": name} for name in [*names, "istio-proxy"]]
    return {"metadata": {}, "spec": {"containers": containers}, "status": {"containerStatuses": said, **status}}


def placed(pod: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "spec": {**pod["spec"], "nodeName": "n"}}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


ENDED = {"state": {"terminated": {"reason": "StartError", "exitCode": 128}}}
GIVEN_UP = {"state": {"terminated": {"reason": "ContainerStatusUnknown", "exitCode": 137}}, "imageID": ""}
"""What a kubelet says of a container that it had not begun when it ended the pod."""


def refused(words: str, code: str = "image_not_pulled", *, passing: bool = False) -> Refused:
    return Refused(code, words, passing, "a:1")


NOT_FOUND = "rpc error: code = NotFound desc = failed to pull and unpack image"


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (pod(ENDED, waits("RunContainerError")), Here()),
        (pod({"imageID": "sha256:a", "state": {}}, waits("CreateContainerConfigError")), Here()),
        (pod(ENDED, waits("ContainerCreating")), UnderWay("a:1")),
        (pod(ENDED, waits("ErrImagePull", NOT_FOUND)), refused(f"a:1: {NOT_FOUND}")),
        (pod(waits("ImagePullBackOff", "i/o timeout")), refused("a:1: i/o timeout", passing=True)),
        (
            pod(waits("ImagePullBackOff", "eof"), waits("ErrImagePull", NOT_FOUND)),
            refused(f"a:1: {NOT_FOUND}"),
        ),
        (pod(waits("InvalidImageName", "no")), refused("a:1: no")),
        (pod(waits("ErrImagePull", "no space left on device")), refused("a:1: no space left on device", "disk_full")),
        (
            pod(ENDED, GIVEN_UP, phase="Failed", reason="Evicted", message="low on resource: ephemeral-storage"),
            Refused("disk_full", "Evicted: low on resource: ephemeral-storage"),
        ),
        (
            pod(GIVEN_UP, phase="Failed", reason="DeadlineExceeded", message="too long"),
            Refused("image_not_pulled", "DeadlineExceeded: too long", late=True),
        ),
        (pod(GIVEN_UP, phase="Failed", reason="OutOfpods", message="full"), LeftOut("OutOfpods: full")),
        (
            pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no"}]),
            LeftOut("takes no pod: no"),
        ),
        ({**pod(), "metadata": {"creationTimestamp": "2027-01-15T07:58:00Z"}}, UnderWay()),
        ({**pod(), "metadata": {"creationTimestamp": "2027-01-15T07:00:00Z"}}, pulls.UNPLACED),
        (placed({**pod(), "metadata": {"creationTimestamp": "2027-01-15T07:00:00Z"}}), UnderWay()),
        (None, Absent()),
        ({**pod({}), "metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}}, Absent()),
        ({**pod({}), "metadata": {"deletionTimestamp": "2027-01-15T07:00:00Z"}}, LeftOut("its node does not answer")),
    ],
)
def test_what_is_said_of_a_pod_means_that_its_images_are_there_or_why_not(said: Any, means: pulls.Standing) -> None:
    assert pulls.standing(said, NOW) == means


def event(reason: str, image: str, minute: int) -> dict[str, Any]:
    return {"reason": reason, "message": f'{reason} image "{image}"', "lastTimestamp": f"2027-01-15T08:{minute:02}:00Z"}


def test_a_try_that_goes_on_longer_than_registries_are_waited_for_is_seen_by_its_event() -> None:
    failed, again, other = event("Failed", "a:1", 1), event("Pulling", "a:1", 2), event("Failed", "b:1", 3)
    assert pulls.pulls_again("a:1", [again, failed, other])
    assert not pulls.pulls_again("a:1", [again, failed, event("BackOff", "a:1", 4)])
    assert not pulls.pulls_again("a:1", [])


# -- how long a refusal is borne --------------------------------------------------------------------------------------

PATIENCE = 300.0
AWAY = waits("ImagePullBackOff", "i/o timeout")


def pull() -> pulls.Pull:
    return pulls.Pull(of_pod(), images.Node("n1"), ("a:1", "b:1"), began=0.0)


def two(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    both = pod(first, second)
    both["status"]["containerStatuses"][1]["image"] = "b:1"
    return placed(both)


def overdue(pull: pulls.Pull, now: float) -> list[str]:
    return [each.image for each in pull.overdue(now, PATIENCE)]


def test_each_image_has_the_whole_time_of_a_registry_that_may_be_back() -> None:
    one = pull()
    one.saw(two(AWAY, waits("ContainerCreating")), NOW, 10.0)
    one.saw(two(ENDED, AWAY), NOW, 300.0)
    one.saw(two(ENDED, AWAY), NOW, 320.0)
    assert (overdue(one, 320.0), overdue(one, 600.0), overdue(one, 601.0)) == ([], [], ["b:1"])


def test_an_image_that_is_refused_again_after_a_try_that_went_on_has_the_whole_time_again() -> None:
    one = pull()
    for now, state in ((0.0, AWAY), (200.0, waits("ContainerCreating")), (310.0, AWAY)):
        one.saw(two(state, ENDED), NOW, now)
    assert (overdue(one, 310.0), overdue(one, 611.0)) == ([], ["a:1"])


def test_an_image_whose_time_is_up_is_not_hidden_by_one_that_was_refused_later() -> None:
    one = pull()
    one.saw(two(waits("ContainerCreating"), AWAY), NOW, 0.0)
    one.saw(two(AWAY, AWAY), NOW, 290.0)
    assert overdue(one, 301.0) == ["b:1"]


def test_what_is_refused_for_good_is_overdue_at_once() -> None:
    one = pull()
    one.saw(two(AWAY, waits("ErrImagePull", NOT_FOUND)), NOW, 10.0)
    assert overdue(one, 10.0) == ["b:1"]


@pytest.mark.parametrize(
    ("seen", "answers", "now", "means"),
    [
        (placed(pod()), True, 3720.0, UnderWay()),
        (placed(pod()), True, 3721.0, Refused("image_not_pulled", "its images are not there after 3721 s", late=True)),
        (placed(pod()), False, 60.0, pulls.SILENT),
        (placed(pod()), False, 9999.0, pulls.SILENT),
        (pod(), True, 3720.0, UnderWay()),
        (pod(), True, 3721.0, pulls.UNPLACED),
        (None, True, 3721.0, pulls.UNPLACED),
    ],
)
def test_a_pod_that_nobody_ends_has_its_own_end(seen: Any, answers: bool, now: float, means: pulls.Standing) -> None:
    one = pull()
    one.saw(seen, NOW, 10.0)
    one.saw_node(answers=answers, now=now, seconds=3600.0)
    assert one.standing == means


@pytest.mark.parametrize(
    ("ready", "silent"),
    [
        ({"status": "True", "lastTransitionTime": "2027-01-15T01:00:00Z"}, False),
        ({"status": "Unknown", "lastTransitionTime": "2027-01-15T07:59:30Z"}, False),
        ({"status": "Unknown", "lastTransitionTime": "2027-01-15T07:58:30Z"}, True),
        ({"status": "False", "lastTransitionTime": "2027-01-15T07:58:30Z"}, True),
    ],
)
def test_a_node_that_misses_a_heartbeat_is_not_silent_yet(ready: dict[str, str], silent: bool) -> None:
    assert images.is_silent({"status": {"conditions": [{"type": "Ready", **ready}]}}, NOW) is silent
    assert images.is_silent(None, NOW)
