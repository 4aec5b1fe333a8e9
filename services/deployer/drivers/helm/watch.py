"""Watching workloads until they are up, or gone, or never will be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from services.deployer.drivers import Broken
from services.deployer.drivers.durable.run import Run
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import rollout, trouble
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.manifest import Workload
from services.deployer.drivers.helm.rollout import Scaled, Standing

QUICKEST, SLOWEST = 0.25, 2.0
"""Seconds between two looks: often at first, for most roll-outs are short; thousands last."""

STALE_SECONDS = 30.0
"""How long a deadline that was missed before the change has to be seen before it counts: after a way back it is that of
the release before, until the controller has taken the last of its pods away."""

FAILED_JOB = frozenset({"BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy"})
"""What events say of a Job that failed."""

AUTOSCALERS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"

Look = list[tuple[Workload, Any, Standing]]


@dataclass(slots=True)
class Missed:
    """Deadlines that were missed before the change, by workload: since when they have been seen."""

    _since: dict[Workload, float] = field(default_factory=dict)

    def for_good(self, found: Look, changed_at: float, now: float) -> tuple[Workload, Standing] | None:
        """The first that never gets ready; `changed_at` by the cluster's clock, `now` by any."""
        stuck = [(workload, standing) for workload, _, standing in found if standing.stuck]
        self._since = {w: self._since.get(w, now) for w, s in stuck if _is_stale(s, changed_at)}
        return next((each for each in stuck if now - self._since.get(each[0], -inf) >= STALE_SECONDS), None)


def _is_stale(standing: Standing, changed_at: float) -> bool:
    return standing.code == rollout.MISSED_DEADLINE and standing.said_at < changed_at


@dataclass(frozen=True, slots=True)
class Watch:
    """The workloads of a release in a cluster."""

    cluster: Cluster
    workloads: Sequence[Workload]

    async def until_up(self, run: Run, seconds: float, stable: float, since: float) -> None:
        """Return when all have been ready for `stable` seconds. Raises Failed; `since`: when the roll-out began."""
        pause, ready_since, missed = QUICKEST, None, Missed()
        while True:
            found = await self._look()
            standings = [each for _, _, each in found]
            run.report(rollout.sentence((w, s) for w, _, s in found), 30 + rollout.per_cent(standings) * 65 // 100)
            changed_at = since + self.cluster.now - time.time()
            if stuck := missed.for_good(found, changed_at, time.monotonic()):
                raise await self._failure(found, stuck[1].code, f"{stuck[0]}: {stuck[1].stuck}")
            ready_since = (ready_since or time.monotonic()) if all(s.done for s in standings) else None
            if ready_since and time.monotonic() - ready_since >= stable:
                return await self._refuse_failed_jobs(found, changed_at)
            if ready_since is None and time.time() - since > seconds:  # what is ready need not be so for long yet
                raise await self._failure(found, "not_ready", f"not ready within {seconds:g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, SLOWEST)

    async def _refuse_failed_jobs(self, found: Look, changed_at: float) -> None:
        """Of a Job that was taken away before anybody saw its end, events may know that it failed."""
        for workload in [w for w, one, _ in found if one is None and w.deleted_by_ttl]:
            for event in await self._events_if_allowed(workload):
                at = rollout.time_of(event.get("lastTimestamp") or event.get("eventTime"))
                if event.get("reason") in FAILED_JOB and at >= int(changed_at):
                    raise Failed("job_failed", f"{workload}: it failed: {event.get('message')}")

    async def until_gone(self, run: Run, seconds: float) -> None:
        """Return when none is there any more. Raises Failed."""
        begun = time.monotonic()
        while left := [w for w, one, _ in await self._look() if one is not None]:
            run.report(f"{left[0]} has yet to go", 70)
            if time.monotonic() - begun > seconds:
                raise Failed("not_removed", f"after {seconds:g} s there are still: {', '.join(map(str, left[:10]))}")
            await asyncio.sleep(SLOWEST / 4)

    async def fallen(self, asked: Mapping[Workload, int], seconds: float) -> Broken | None:
        """Why what was up is so no more; None = it is still, or waits for what an autoscaler added not `seconds` ago.

        `asked`: how many replicas charts ask for.
        """
        found = await self._look()
        if smaller := await self._scaled_down(found, asked):
            return Broken("fallen", "; ".join(smaller))
        down = {w: standing for w, _, standing in found if not standing.done}
        if not down or await self._only_grows(down, seconds):
            return None
        return await self._told_as_fallen(found)

    async def _told_as_fallen(self, found: Look) -> Broken:
        words = "it was up, and is no more"
        try:
            failed = await self._failure(found, "fallen", words)
            return Broken("fallen", failed.broken.message, failed.broken.last_lines)
        except Failed:  # who may not look at pods or events has seen the workloads all the same
            return Broken("fallen", f"{words}; {rollout.sentence((w, s) for w, _, s in found)}")

    async def _scaled_down(self, found: Look, asked: Mapping[Workload, int]) -> list[str]:
        """What was scaled down by hand: what an autoscaler may have done is its own affair."""
        smaller = {w: said for w, one, _ in found if one and (said := rollout.scaled_down(one, asked.get(w)))}
        scalers = await self._scalers({workload.namespace for workload in smaller})
        if scalers is None:
            return []  # who may not look at autoscalers does not know
        theirs = {scaled.workload for scaled in scalers}
        return [f"{workload}: {said}" for workload, said in smaller.items() if workload not in theirs]

    async def _only_grows(self, down: Mapping[Workload, Standing], seconds: float) -> bool:
        """Whether all of these serve, and wait for pods that autoscalers added so short a time ago."""
        if any(standing.stuck for standing in down.values()):
            return False
        scalers = {scaled.workload: scaled for scaled in await self._scalers({w.namespace for w in down}) or ()}
        since = self.cluster.now - seconds
        return all(w in scalers and scalers[w].at >= since and s.ready >= scalers[w].least for w, s in down.items())

    async def _scalers(self, namespaces: Collection[str]) -> list[Scaled] | None:
        """What the autoscalers of namespaces scale; None where nobody can say that."""
        try:
            lists = await asyncio.gather(*(self.cluster.list(AUTOSCALERS.format(name)) for name in namespaces))
        except Failed:
            return None
        return [rollout.scaled_by(scaler) for scalers in lists for scaler in scalers]

    async def _look(self) -> Look:
        found = await asyncio.gather(*(self.cluster.get(each.path) for each in self.workloads))
        return [
            (w, one, rollout.standing(one and {"kind": w.kind, **one}, deleted_by_ttl=w.deleted_by_ttl))
            for w, one in zip(self.workloads, found, strict=True)
        ]

    async def _failure(self, found: Look, code: str, message: str) -> Failed:
        """With what pods and events say of it: they know better than the workload why it is not ready."""
        bad = [(w, one) for w, one, standing in found if not standing.done and one is not None]
        pods = [pod for w, one in bad for pod in await self._pods(w, one)]
        events = [event for w, _ in bad for event in await self._events(w)]
        reasons = trouble.troubles([one for _, one in bad], pods, events)
        sentence = rollout.sentence((w, s) for w, _, s in found)
        words = f"{message}; {sentence}" if code in ("not_ready", "fallen") and sentence not in message else message
        if code == "not_ready" and reasons:
            code, words = reasons[0].code, f"{words}; {reasons[0].sentence}"
        return Failed(code, words, trouble.evidence(pods, events))

    async def _pods(self, workload: Workload, one: Any) -> list[dict[str, Any]]:
        labels = ((one.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
        if not labels:
            return []
        chosen = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        return await self.cluster.list(f"/api/v1/namespaces/{workload.namespace}/pods", labelSelector=chosen)

    async def _events_if_allowed(self, workload: Workload) -> list[dict[str, Any]]:
        try:
            return await self._events(workload)
        except Failed:
            return []

    async def _events(self, workload: Workload) -> list[dict[str, Any]]:
        """Of the workload, and of what it has made: replica sets and pods begin with its name."""
        events = await self.cluster.list(
            f"/api/v1/namespaces/{workload.namespace}/events", fieldSelector="type=Warning"
        )
        return [e for e in events if str((e.get("involvedObject") or {}).get("name", "")).startswith(workload.name)]
