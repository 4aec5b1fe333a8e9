"""Images brought to nodes: whose turn it is, what is waited for and for how long, and what is said where it is not.

The cluster is ours down to its connection, which answers as an API server with kubelets behind it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest

from services.deployer.drivers import Order
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm.ahead import Ahead
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.fetching import refuse_lacking
from services.deployer.drivers.helm.images import Wanted
from services.deployer.drivers.helm.pulling import Pulls
from services.deployer.drivers.helm.settings import HelmSettings
from services.deployer.drivers.pulls.sharing import SharedPulls
from tests.support.components import for_driver, simulated

Kubelet = Callable[[dict[str, Any]], dict[str, Any]]
"""The status of a pod, whenever somebody looks at it."""


def pulled(pod: dict[str, Any]) -> dict[str, Any]:
    return said_of(pod, {"terminated": {"reason": "StartError"}})


def said_of(pod: dict[str, Any], *states: dict[str, Any]) -> dict[str, Any]:
    """What is said of its containers, in their order; the last one of all that follow."""
    each = itertools.chain(states, itertools.repeat(states[-1]))
    found = [{"name": one["name"], "image": one["image"], "state": next(each)} for one in pod["spec"]["containers"]]
    return {"containerStatuses": found}


class Api:
    """Nodes, and pods in the namespaces that are there."""

    def __init__(self, kubelet: Kubelet = pulled, *nodes: str, unscheduled: bool = False) -> None:
        self.kubelet = kubelet
        self.nodes = {name: node(name) for name in nodes or ("n1",)}
        self.unscheduled = unscheduled
        self.away = False
        self.asked = 0
        self.pods: dict[str, dict[str, dict[str, Any]]] = {"shop": {}}
        self.made: list[str] = []
        """The nodes that pods were made for."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.away:
            raise httpx.ConnectError("away")
        found = self._answer(request.method, request.url.path.removeprefix("/api/v1/").split("/"), request)
        return httpx.Response(404 if found is None else 200, json={} if found is None else found)

    def _answer(self, method: str, path: list[str], request: httpx.Request) -> dict[str, Any] | None:
        found: dict[str, Any] | None = None
        match method, path:
            case "GET", ["nodes"]:
                found = {"items": list(self.nodes.values())}
            case "GET", ["nodes", name]:
                found = self.nodes.get(name)
            case "GET", ["namespaces", name]:
                found = {} if name in self.pods else None
            case "GET", ["namespaces", name, "pods" | "events" as kind]:
                found = {"items": [self._seen(pod) for pod in self.pods.get(name, {}).values() if kind == "pods"]}
            case "POST", ["namespaces", name, "pods"] if name in self.pods:
                found = self._make(name, json.loads(request.content))
            case "DELETE", ["namespaces", name, "pods", pod]:
                found = self.pods[name].pop(pod, None)
        return found

    def _make(self, namespace: str, pod: dict[str, Any]) -> dict[str, Any]:
        pod["metadata"] |= {"namespace": namespace, "creationTimestamp": "2100-01-01T00:00:00Z"}
        [(_, affinity)] = pod["spec"]["affinity"]["nodeAffinity"].items()
        [node] = affinity["nodeSelectorTerms"][0]["matchFields"][-1]["values"]
        pod["spec"] |= {} if self.unscheduled else {"nodeName": node}
        self.made.append(node)
        self.pods[namespace][pod["metadata"]["name"]] = pod
        return pod

    def _seen(self, pod: dict[str, Any]) -> dict[str, Any]:
        return {**pod, "status": self.kubelet(pod)}

    def ahead(self, pulls: Pulls | None = None, **given: Any) -> Ahead:
        """An order's."""
        order = Order("o1", "s1", {}, "shop", "fetch", for_driver(simulated("web")), "1.0", "c" * 64)
        http = httpx.AsyncClient(transport=httpx.MockTransport(self), base_url="https://c")
        cluster = Cluster(http, 0, lambda _: None)
        settings = HelmSettings(**given.pop("settings", {}))
        return Ahead(Run(order, never, never), cluster, "https://c", settings, pulls or alone(), **given)


async def never(*_: Any) -> None:
    raise AssertionError("a fetch writes nothing down")


def alone() -> Pulls:
    """Of a replica that cannot ask for others."""
    return Pulls(SharedPulls("postgresql://127.0.0.1:1/none"))


def node(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def wanted(namespace: str = "shop", *images: str, **pod: Any) -> Wanted:
    return Wanted(namespace, json.dumps(pod), images or ("a:1",))


# -- what is said where nothing is pulled -----------------------------------------------------------------------------


@pytest.mark.parametrize("pod", [{}, {"imagePullSecrets": [{"name": "lost"}]}])
async def test_a_namespace_that_the_chart_makes_beside_its_own_keeps_nobody_who_requires_images(pod: Any) -> None:
    api = Api(pulled, "n1", "n2")
    why = await api.ahead().bring([wanted(), wanted("more", **pod)])
    assert [each.nothing_runs for each in why] == [True]
    assert "its namespace is not there yet" in why[0].words
    assert sorted(api.made) == ["n1", "n2"]
    refuse_lacking(why)


async def test_what_is_so_for_several_workloads_is_told_once() -> None:
    api = Api()
    api.nodes.clear()
    [why] = await api.ahead().bring([wanted(), wanted(serviceAccountName="web")])
    assert why.words == "no node of the cluster is one for its pods"


async def test_a_pull_secret_that_is_not_there_keeps_who_requires_images() -> None:
    why = await Api().ahead().bring([wanted(imagePullSecrets=[{"name": "lost"}])])
    with pytest.raises(Failed, match="its pull secret lost is not there yet"):
        refuse_lacking(why)


# -- how long pods are waited for -------------------------------------------------------------------------------------


def hurried(step: float) -> Callable[[], float]:
    """A clock that goes on by so many seconds whenever it is looked at."""
    return itertools.count(0.0, step).__next__


def under_way(pod: dict[str, Any]) -> dict[str, Any]:
    return said_of(pod, {"waiting": {"reason": "ContainerCreating"}})


def is_gone(node: dict[str, Any]) -> None:
    [ready] = node["status"]["conditions"]
    ready |= {"status": "Unknown", "lastTransitionTime": "2020-01-01T00:00:00Z"}


async def test_a_node_that_dies_with_the_pod_is_left_out_though_the_workload_tolerates_that() -> None:
    api = Api(under_way, "n1", "n2")

    def dies(pod: dict[str, Any]) -> dict[str, Any]:
        is_gone(api.nodes["n2"])
        return pulled(pod) if pod["spec"]["nodeName"] == "n1" else under_way(pod)

    api.kubelet = dies
    [why] = await api.ahead(clock=hurried(40)).bring([wanted(tolerations=[{"operator": "Exists"}])])
    assert (why.words, why.nothing_runs) == ("its node does not answer (node n2)", False)
    assert api.pods == {"shop": {}}


async def test_a_node_that_was_deleted_is_left_out() -> None:
    api = Api()

    def deleted(pod: dict[str, Any]) -> dict[str, Any]:
        api.nodes.clear()
        return under_way(pod)

    api.kubelet = deleted
    assert [each.words for each in await api.ahead(clock=hurried(40)).bring([wanted()])] == [
        "its node does not answer (node n1)"
    ]


async def test_a_pod_that_a_node_never_ends_is_refused_long_after_its_time() -> None:
    with pytest.raises(Failed, match="image_not_pulled: node n1 cannot pull what the release needs: its images"):
        await Api(under_way).ahead(clock=hurried(500)).bring([wanted()])


async def test_a_pod_that_no_scheduler_looks_at_is_left_out() -> None:
    api = Api(lambda _: {}, unscheduled=True)
    [why] = await api.ahead(clock=hurried(500)).bring([wanted()])
    assert "its pod does not come to the node: no scheduler looks at it" in why.words


# -- whose turn it is -------------------------------------------------------------------------------------------------


def refuses(words: str) -> Kubelet:
    return lambda pod: said_of(pod, {"waiting": {"reason": "ImagePullBackOff", "message": words}})


async def failures(*orders: Ahead) -> list[str]:
    """How they end, begun together."""
    ends = await asyncio.gather(*(each.bring([wanted()]) for each in orders), return_exceptions=True)
    return [end.broken.message if isinstance(end, Failed) else repr(end) for end in ends]


async def test_sites_that_waited_while_a_registry_was_away_fail_with_the_first_of_them() -> None:
    api, pulls = Api(refuses("connection refused")), alone()
    found = await failures(*(api.ahead(pulls, clock=hurried(100)) for _ in range(3)))
    assert found == ["node n1 cannot pull what the release needs: a:1: connection refused"] * 3
    assert api.made == ["n1"]
    api.kubelet = pulled
    assert await api.ahead(pulls).bring([wanted()]) == []
    assert api.made == ["n1", "n1"]


async def test_sites_that_waited_while_no_api_server_answered_fail_with_the_first_of_them() -> None:
    api, pulls = Api(), alone()
    api.away = True
    found = await failures(api.ahead(pulls), api.ahead(pulls))
    assert [each.startswith("the API server did not answer") for each in found] == [True, True]
    assert len(set(found)) == 1
    assert api.asked == 1


async def test_what_a_registry_refuses_one_site_each_finds_out_for_itself() -> None:
    api, pulls = Api(refuses("pull access denied")), alone()
    found = await failures(*(api.ahead(pulls) for _ in range(2)))
    assert found == ["node n1 cannot pull what the release needs: a:1: pull access denied"] * 2
    assert api.made == ["n1", "n1"]


async def test_sites_that_waited_for_one_that_got_the_images_find_them_there() -> None:
    api, pulls = Api(), alone()
    assert await failures(*(api.ahead(pulls) for _ in range(3))) == ["[]"] * 3
    assert api.made == ["n1"]
