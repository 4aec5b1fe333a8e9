"""What is waited for, and what is not: a stale deadline, a Job that went by itself, an autoscaler at work.

The cluster is ours down to its connection, which answers from a table.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import version, watch
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.comparing import Comparison
from services.deployer.drivers.helm.manifest import Workload, workloads
from services.deployer.drivers.helm.objects import compared
from services.deployer.drivers.helm.watch import Watch
from shared.components.helm import VersionCheck

WEB = Workload("Deployment", "shop", "web")
GOES_BY_ITSELF = """
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec: {ttlSecondsAfterFinished: 60}
"""


class Answers(dict[str, Any]):
    """What the API server answers, by path; a list is answered one after the other, its last one for ever."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        found = self.get(request.url.path)
        if request.url.path.endswith(("/pods", "/events", "/horizontalpodautoscalers")):
            return httpx.Response(200, json={"items": found or []})
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, Exception):
            raise found
        return httpx.Response(404 if found is None else 200, json=found or {})

    def cluster(self) -> Cluster:
        return Cluster(httpx.AsyncClient(transport=httpx.MockTransport(self), base_url="https://c"), 1, lambda _: None)


def ago(seconds: float) -> str:
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC).isoformat()


def late(seconds: float) -> list[dict[str, str]]:
    """A deadline that was missed so long after the change."""
    told = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "has timed out"}
    return [told | {"lastUpdateTime": ago(-seconds)}]


class Quiet:
    """A run that nobody looks at."""

    def report(self, *_: Any) -> None:
        """Nothing."""


QUIET: Any = Quiet()


def deployment(wanted: int = 1, ready: int = 1, **status: Any) -> dict[str, Any]:
    found = {"observedGeneration": 1, "replicas": wanted, "updatedReplicas": wanted, "availableReplicas": ready}
    return {"metadata": {"generation": 1}, "spec": {"replicas": wanted}, "status": found | status}


async def until_up(answers: Answers, *wanted: Workload) -> None:
    await Watch(answers.cluster(), wanted).until_up(QUIET, seconds=60, stable=0, since=datetime.now(UTC).timestamp())


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((watch, "QUICKEST"), (watch, "SLOWEST"), (version, "PAUSE")):
        monkeypatch.setattr(module, name, 0.001)


@pytest.mark.usefixtures("hasty")
async def test_a_deadline_that_the_release_before_missed_is_waited_out() -> None:
    stale = deployment(ready=0, conditions=late(-60))
    await until_up(Answers({WEB.path: [stale, stale, deployment(ready=0), deployment()]}), WEB)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("seconds", "patience"), [(5, 60.0), (-60, 0.05)], ids=["its own", "of before, for too long"])
async def test_a_missed_deadline_ends_the_wait_though_the_old_replica_still_serves(
    monkeypatch: pytest.MonkeyPatch, seconds: int, patience: float
) -> None:
    monkeypatch.setattr(watch, "STALE_SECONDS", patience)
    with pytest.raises(Failed) as found:
        await until_up(Answers({WEB.path: deployment(replicas=2, conditions=late(seconds))}), WEB)
    assert "it makes no progress: has timed out" in found.value.broken.message


@pytest.mark.usefixtures("hasty")
async def test_what_is_gone_or_has_failed_is_not_waited_for() -> None:
    job = Workload("Job", "shop", "migrate")
    failed = {"status": {"conditions": [{"type": "Failed", "status": "True", "message": "no"}]}}
    for path, answer, code in ((WEB.path, None, "gone"), (job.path, failed, "job_failed")):
        with pytest.raises(Failed) as found:
            await until_up(Answers({path: answer}), WEB if path == WEB.path else job)
        assert found.value.broken.code == code


@pytest.mark.usefixtures("hasty")
async def test_a_job_that_goes_by_itself_may_be_gone() -> None:
    nothing = Answers()
    wanted = workloads(GOES_BY_ITSELF, "shop")
    await until_up(nothing, *wanted)
    assert await Watch(nothing.cluster(), wanted).fallen({}, 60) is None
    comparison = Comparison(nothing.cluster(), "shop", "1", {}, {})
    assert await comparison.changes(compared(GOES_BY_ITSELF, by_server=True)) == []
    lasting = GOES_BY_ITSELF.replace("{ttlSecondsAfterFinished: 60}", "{}")
    assert await comparison.changes(compared(lasting, by_server=True)) == ["job/migrate is gone"]
    assert await Watch(nothing.cluster(), workloads(lasting, "shop")).fallen({}, 60)


def scaled(seconds_ago: int | None) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "shop"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 2},
        "status": {} if seconds_ago is None else {"lastScaleTime": ago(seconds_ago)},
    }


@pytest.mark.parametrize(
    ("web", "seconds_ago", "falls"),
    [
        (deployment(4, 2), 5, False),
        (deployment(4, 2), 500, True),
        (deployment(4, 2), None, True),
        (deployment(4, 1), 5, True),
        (deployment(4, 3, conditions=late(0)), 5, True),
        (None, 5, True),
    ],
    ids=["grows", "is late", "never scaled", "serves too little", "is stuck", "is gone"],
)
async def test_pods_that_an_autoscaler_adds_get_the_time_of_a_rollout(web: Any, seconds_ago: Any, falls: bool) -> None:
    answers = Answers({WEB.path: web, watch.AUTOSCALERS.format("shop"): [scaled(seconds_ago)]})
    assert bool(await Watch(answers.cluster(), [WEB]).fallen({WEB: 2}, 60)) is falls


def failing(seconds: float) -> dict[str, Any]:
    told = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
    return told | {"involvedObject": {"name": "migrate"}, "lastTimestamp": ago(-seconds)}


EVENTS = "/api/v1/namespaces/shop/events"


@pytest.mark.usefixtures("hasty")
async def test_a_job_that_failed_and_is_gone_has_failed_all_the_same() -> None:
    wanted = workloads(GOES_BY_ITSELF, "shop")
    await until_up(Answers({EVENTS: [failing(-60)]}), *wanted)  # that of the release before
    with pytest.raises(Failed) as found:
        await until_up(Answers({EVENTS: [failing(1)]}), *wanted)
    assert (found.value.broken.code, "backoff limit" in found.value.broken.message) == ("job_failed", True)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(("condition", "ends_well"), [("Complete", True), ("Failed", False)])
async def test_a_job_that_is_being_deleted_by_its_ttl_is_judged_by_its_end(condition: str, ends_well: bool) -> None:
    wanted = workloads(GOES_BY_ITSELF, "shop")
    conditions = [{"type": condition, "status": "True"}]
    going = {"metadata": {"deletionTimestamp": ago(1)}, "status": {"conditions": conditions}}
    fallen = await Watch(Answers({wanted[0].path: going}).cluster(), wanted).fallen({}, 60)
    assert (fallen is None) is ends_well


PROXY = "/api/v1/namespaces/shop/services/http:web:80/proxy/version"
BY_HTTP = VersionCheck.model_validate({"http": {"service": "web", "port": 80, "path": "/version"}})


def says(number: str) -> dict[str, str]:
    return {"version": number}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("before", [says("1.0"), None, httpx.ConnectError("away")], ids=["old", "nobody", "away"])
async def test_a_service_may_answer_for_the_pods_of_before_for_a_moment(before: Any) -> None:
    answers = Answers({PROXY: [before, before, says("2.0")], "/version": {}})
    assert await version.proven(answers.cluster(), "shop", BY_HTTP, "2.0") == "2.0"


@pytest.mark.usefixtures("hasty")
async def test_a_wrong_version_that_stays_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "SETTLE_SECONDS", 0.05)
    with pytest.raises(Failed) as found:
        await version.proven(Answers({PROXY: says("1.0")}).cluster(), "shop", BY_HTTP, "2.0")
    assert found.value.broken.code == "wrong_version"


async def test_evicted_pods_do_not_count_for_the_version() -> None:
    asked: list[httpx.URL] = []
    answers = Answers({WEB.path: {"spec": {"selector": {"matchLabels": {"app": "web"}}}}})
    answers["/api/v1/namespaces/shop/pods"] = [{"metadata": {"labels": {"v": "2.0"}}}]

    def look(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return answers(request)

    cluster = Cluster(httpx.AsyncClient(transport=httpx.MockTransport(look), base_url="https://c"), 1, lambda _: None)
    by_label = VersionCheck.model_validate({"label": {"workload": "deployment/web", "label": "v"}})
    assert await version.check(cluster, "shop", by_label, "2.0") == "2.0"
    assert asked[-1].params["fieldSelector"] == "status.phase!=Failed"
