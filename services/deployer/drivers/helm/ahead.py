"""Images brought to the nodes of a cluster ahead of a release: one pod for each node, gone again when it is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import images, pulls, trouble
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.images import Node, Wanted
from services.deployer.drivers.helm.place import ORDER_LABEL, mark_of
from services.deployer.drivers.helm.pulling import Pulls, WaitedInVain
from services.deployer.drivers.helm.pulls import NO_NAMESPACE, Absent, Here, LeftOut, Pull, Refused, UnderWay
from services.deployer.drivers.helm.rollout import time_of
from services.deployer.drivers.helm.settings import HelmSettings

T = TypeVar("T")

NODES = "/api/v1/nodes"
PODS, POD = "/api/v1/namespaces/{}/pods", "/api/v1/namespaces/{}/pods/{}"
EVENTS = "/api/v1/namespaces/{}/events"
AT_ONCE = 8
QUICKEST, SLOWEST = 0.25, 2.0
"""Seconds between two looks at pods: often at first, for most images are small, or there."""

NODES_SECONDS = 60.0
"""Between two looks at the nodes that are waited for."""

MOST_TOLD = 3

OF_CLUSTER = frozenset({"forbidden", "api_error", "changed_meanwhile"})
"""The API server does not let us do this: that says nothing against the images."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What an order has the nodes of its cluster pull."""

    run: Run
    cluster: Cluster
    identity: str
    settings: HelmSettings
    pulls: Pulls
    clock: Callable[[], float] = time.monotonic

    async def bring(self, wanted: Sequence[Wanted]) -> list[LeftOut]:
        """Have nodes pull; each reason why some do not have all now. Raises Failed where none can."""
        if not wanted:
            return []
        self.run.report("waits until other sites of its cluster have these images", 15)
        async with self.pulls.alone(f"{self.identity} {' '.join(sorted(each.digest for each in wanted))}"):
            leave = False
            try:
                return await self._brought(wanted)
            except Failed as failed:
                if failed.broken.code in OF_CLUSTER:
                    return [LeftOut(failed.broken.message)]
                if failed.broken.code != "unreachable":
                    raise
                leave = True
                raise WaitedInVain.again(failed.broken) from failed
            except asyncio.CancelledError:
                leave = not self.run.cancelled  # others carry the order on, and find its pods
                raise
            finally:
                if not leave:
                    await self.clear(wanted)

    async def clear(self, wanted: Sequence[Wanted]) -> None:
        """Nothing of these pulls stays. Where that fails they end by themselves."""
        with suppress(Failed):
            for namespace in sorted({each.namespace for each in wanted}):
                await self._delete(await self._pods(namespace, f"{images.IMAGES_LABEL} in ({_digests(wanted)})"))

    async def clear_own(self, namespace: str) -> None:
        """What this order had a node pull while another deployer had it in its hands."""
        with suppress(Failed):
            await self._delete(
                await self._pods(namespace, f"{ORDER_LABEL}={mark_of(self.run.order.key)},{images.IMAGES_LABEL}")
            )

    async def has_namespace(self, namespace: str) -> bool:
        """Whether pods that pull have a place; who may work in one namespace need not be allowed to look at it."""
        try:
            return await self.cluster.get(f"/api/v1/namespaces/{namespace}") is not None
        except Failed as failed:
            if failed.broken.code != "forbidden":
                raise
            return True

    async def _brought(self, wanted: Sequence[Wanted]) -> list[LeftOut]:
        left_out: list[LeftOut] = []
        open_pulls: list[Pull] = []
        for each in wanted:
            found, why = await self._nodes(each)
            left_out += why
            open_pulls += found
        await self._sweep(open_pulls)
        await self._until_over(open_pulls)
        return list(dict.fromkeys([*left_out, *_told(open_pulls)]))  # what is so for all of them is told once

    # -- which nodes ----------------------------------------------------------------------------------------------

    async def _nodes(self, wanted: Wanted) -> tuple[list[Pull], list[LeftOut]]:
        """What is to be pulled where, and why not everywhere."""
        if lost := await self._lost_secret(wanted):
            there = await self.has_namespace(wanted.namespace)  # a chart may bring a namespace with all that is in it
            return [], [LeftOut(f"its pull secret {lost} is not there yet") if there else NO_NAMESPACE]
        nodes, why = await self._list_nodes(wanted)
        if nodes and all(node.full for node in nodes):
            words = f"no node has room on its disk (DiskPressure): {', '.join(node.name for node in nodes[:MOST_TOLD])}"
            raise Failed("disk_full", words)
        roomy = [node for node in nodes if not node.full]
        why += [LeftOut(f"node {node.name} has no room on its disk (DiskPressure)") for node in nodes if node.full]
        lacking = ((node, self._lacking(wanted, node)) for node in roomy)
        return [Pull(wanted, node, those, self.clock()) for node, those in lacking if those], why

    def _lacking(self, wanted: Wanted, node: Node) -> tuple[str, ...]:
        return self.pulls.unknown(self.identity, node.name, images.lacking(wanted, node))

    async def _lost_secret(self, wanted: Wanted) -> str:
        """A chart that brings its own pull secret brings it with the release."""
        for name in wanted.pull_secrets:
            try:
                if await self.cluster.get(f"/api/v1/namespaces/{wanted.namespace}/secrets/{name}") is None:
                    return name
            except Failed as failed:
                if failed.broken.code != "forbidden":
                    raise
        return ""

    async def _list_nodes(self, wanted: Wanted) -> tuple[list[Node], list[LeftOut]]:
        """The nodes that take its pods, of a large cluster the first; who may not see nodes sees those of its pods."""
        most = self.settings.image_nodes
        query = {"limit": str(most), **({"labelSelector": wanted.selector} if wanted.selector else {})}
        try:
            found = await self.cluster.ask("GET", NODES, query) or {}
        except Failed as failed:
            if failed.broken.code != "forbidden":
                raise
            return await self._nodes_of_pods(wanted)
        nodes = images.nodes_for(wanted, found.get("items") or ())
        more = bool((found.get("metadata") or {}).get("continue"))
        why = [LeftOut(f"only the first {most} nodes are looked at (BELAY_HELM_IMAGE_NODES)")] if more else []
        if nodes or images.admitted(wanted, found.get("items") or ()):
            return nodes, why if nodes else [LeftOut("no node takes its pods now")]
        return [], [LeftOut("no node of the cluster is one for its pods", nothing_runs=True)]

    async def _nodes_of_pods(self, wanted: Wanted) -> tuple[list[Node], list[LeftOut]]:
        pods = await self.cluster.list(PODS.format(wanted.namespace), limit=str(self.settings.image_nodes))
        names = sorted({node for pod in pods if (node := (pod.get("spec") or {}).get("nodeName"))})
        why = "nodes may not be listed (nodes: list): only those are known that run pods in its namespace"
        return [Node(name) for name in names], [LeftOut(why)]

    # -- pods -----------------------------------------------------------------------------------------------------

    async def _pods(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        return await self.cluster.list(PODS.format(namespace), labelSelector=selector)

    async def _delete(self, pods: Sequence[Mapping[str, Any]]) -> None:
        await _side_by_side(self.cluster.ask("DELETE", _path(pod["metadata"])) for pod in pods)

    async def _sweep(self, open_pulls: Sequence[Pull]) -> None:
        """What orders left that nobody has carried on: theirs have ended by themselves, and are old."""
        for namespace in sorted({pull.wanted.namespace for pull in open_pulls}):
            with suppress(Failed):  # who may not list pods is told so when one is to be made
                pods = await self._pods(namespace, f"{images.MANAGED_BY}=belay,{images.IMAGES_LABEL}")
                oldest = self.cluster.now - self.settings.image_seconds
                await self._delete([pod for pod in pods if time_of(pod["metadata"]["creationTimestamp"]) < oldest])

    async def _until_over(self, open_pulls: list[Pull]) -> None:
        pause, looked = QUICKEST, self.clock()
        while waiting := [pull for pull in open_pulls if not pull.over]:
            await self._make([pull for pull in waiting if isinstance(pull.standing, Absent)])
            await self._look([pull for pull in waiting if not pull.over])
            if self.clock() - looked > NODES_SECONDS:
                await _side_by_side(self._look_at_node(pull) for pull in waiting if not pull.over)
                looked = self.clock()
            self.run.report(*_progress(open_pulls))
            await self._refuse(open_pulls)
            if any(not pull.over for pull in waiting):
                await asyncio.sleep(pause)
                pause = min(pause * 1.3, SLOWEST)

    async def _make(self, absent: Sequence[Pull]) -> None:
        """Where the first is not allowed, no other of its namespace is."""
        for namespace in sorted({pull.wanted.namespace for pull in absent}):
            first, *others = [pull for pull in absent if pull.wanted.namespace == namespace]
            await self._make_one(first)
            if isinstance(first.standing, LeftOut):
                for pull in others:
                    pull.standing = first.standing
            else:
                await _side_by_side(map(self._make_one, others))

    async def _make_one(self, pull: Pull) -> None:
        labels = {ORDER_LABEL: mark_of(self.run.order.key)}
        pod = images.pod_of(pull.wanted, pull.node.name, pull.images, labels, self.settings.image_seconds)
        try:
            made = await self.cluster.ask("POST", PODS.format(pull.wanted.namespace), body=pod)
            pull.standing = UnderWay() if made else NO_NAMESPACE
        except Failed as failed:
            if failed.broken.code in ("unreachable", "unauthorized", "bad_certificate"):
                raise
            # One of that name is there: another deployer has made it, or it has yet to go.
            there = failed.broken.code == "changed_meanwhile"
            pull.standing = UnderWay() if there else LeftOut(f"no pod can be made: {failed.broken.message}")

    async def _look(self, waiting: Sequence[Pull]) -> None:
        for namespace in sorted({pull.wanted.namespace for pull in waiting}):
            those = [pull for pull in waiting if pull.wanted.namespace == namespace]
            digests = _digests(pull.wanted for pull in those)
            found = {
                pod["metadata"]["name"]: pod
                for pod in await self._pods(namespace, f"{images.IMAGES_LABEL} in ({digests})")
            }
            for pull in those:
                self._judge(pull, found.get(pull.name))

    def _judge(self, pull: Pull, pod: Mapping[str, Any] | None) -> None:
        pull.saw(pod, self.cluster.now, self.clock())
        if isinstance(pull.standing, Here):
            self.pulls.know(self.identity, pull.node.name, pull.images)

    async def _look_at_node(self, pull: Pull) -> None:
        """A node that is gone may keep its pods for ever, and so may a workload that tolerates that."""
        answers = await self._answers(pull.node.name)
        pull.saw_node(answers=answers, now=self.clock(), seconds=self.settings.image_seconds)

    async def _answers(self, node: str) -> bool:
        try:
            return not images.is_silent(await self.cluster.get(f"{NODES}/{node}"), self.cluster.now)
        except Failed as failed:
            if failed.broken.code != "forbidden":
                raise
            return True  # who may not see nodes has nothing against one

    async def _refuse(self, open_pulls: Sequence[Pull]) -> None:
        """Raises Failed once an image is known not to come."""
        for pull in open_pulls:
            for refused in pull.overdue(self.clock(), self.settings.refused_seconds):
                if not (refused.passing and await self._pulls_again(pull, refused)):
                    found = refused.code, _sentence(pull, refused), await self._evidence(open_pulls)
                    raise (WaitedInVain if refused.passing or refused.late else Failed)(*found)

    async def _pulls_again(self, pull: Pull, refused: Refused) -> bool:
        with suppress(Failed):
            about = f"involvedObject.kind=Pod,involvedObject.name={pull.name}"
            events = await self.cluster.list(EVENTS.format(pull.wanted.namespace), fieldSelector=about)
            return pulls.pulls_again(refused.image, events)
        return False

    async def _evidence(self, open_pulls: Sequence[Pull]) -> tuple[str, ...]:
        """How each pod stands, and what warnings say beside it; who may not look has the sentence."""
        with suppress(Failed):
            names = {pull.name for pull in open_pulls}
            lines: list[str] = []
            for namespace in sorted({pull.wanted.namespace for pull in open_pulls}):
                pods = await self._pods(namespace, f"{images.IMAGES_LABEL}")
                selector = "type=Warning,involvedObject.kind=Pod"
                events = await self.cluster.list(EVENTS.format(namespace), fieldSelector=selector)
                ours = [each for each in events if (each.get("involvedObject") or {}).get("name") in names]
                lines += trouble.evidence([pod for pod in pods if pod["metadata"]["name"] in names], ours)
            return tuple(lines)
        return ()


async def _side_by_side(works: Iterable[Any]) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(work: Any) -> None:
        async with room:
            await work

    # Each must have ended before what is left of them is cleared away: no pod is made behind that.
    for ended in await asyncio.gather(*map(one, works), return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended


def _path(metadata: Mapping[str, Any]) -> str:
    return POD.format(metadata["namespace"], metadata["name"])


def _digests(wanted: Iterable[Wanted]) -> str:
    return ",".join(sorted({each.digest for each in wanted}))


def _progress(open_pulls: Sequence[Pull]) -> tuple[str, int]:
    here = sum(isinstance(pull.standing, Here) for pull in open_pulls)
    words = f"{here} of {len(open_pulls)} nodes have the images"
    for pull in open_pulls:
        if isinstance(pull.standing, UnderWay | Refused) and pull.standing.words:
            words += f"; node {pull.node.name}: {pull.standing.words}"
            break
    return words[:300], 20 + 75 * here // len(open_pulls)


def _sentence(pull: Pull, refused: Refused) -> str:
    return f"node {pull.node.name} cannot pull what the release needs: {refused.words}"


def _told(open_pulls: Sequence[Pull]) -> list[LeftOut]:
    """Why nodes were left out, each reason once with the nodes that it is of."""
    reasons: dict[LeftOut, list[str]] = {}
    for pull in open_pulls:
        if isinstance(pull.standing, LeftOut):
            reasons.setdefault(pull.standing, []).append(pull.node.name)
    return [replace(why, words=f"{why.words} ({_some(nodes)})") for why, nodes in reasons.items()]


def _some(nodes: Sequence[str]) -> str:
    more = f" and {len(nodes) - MOST_TOLD} more" if len(nodes) > MOST_TOLD else ""
    return f"node {', '.join(nodes[:MOST_TOLD])}{more}"
