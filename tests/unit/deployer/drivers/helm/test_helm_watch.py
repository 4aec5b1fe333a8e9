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
LATE = [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "has timed out"}]
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
    stale = deployment(ready=0, conditions=LATE)
    await until_up(Answers({WEB.path: [stale, stale, deployment(ready=0), deployment()]}), WEB)


@pytest.mark.usefixtures("hasty")
async def test_a_deadline_that_stays_missed_ends_the_wait_though_the_old_replica_still_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "STALE_SECONDS", 0.1)
    with pytest.raises(Failed) as found:
        await until_up(Answers({WEB.path: deployment(replicas=2, conditions=LATE)}), WEB)
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


@pytest.mark.parametrize(("seconds_ago", "falls"), [(5, False), (500, True), (None, True)])
async def test_pods_that_an_autoscaler_adds_get_the_time_of_a_rollout(seconds_ago: int | None, falls: bool) -> None:
    now = datetime.now(UTC).timestamp()
    last = {} if seconds_ago is None else {"lastScaleTime": datetime.fromtimestamp(now - seconds_ago, UTC).isoformat()}
    scaler = {
        "metadata": {"namespace": "shop"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
        "status": last,
    }
    answers = Answers({WEB.path: deployment(4, 2), watch.AUTOSCALERS.format("shop"): [scaler]})
    assert bool(await Watch(answers.cluster(), [WEB]).fallen({WEB: 2}, 60)) is falls


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
