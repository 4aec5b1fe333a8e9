"""The records that Helm keeps of a release in its namespace: looked at, and put right where a killed helm left one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import history, manifest
from services.deployer.drivers.helm.cluster import CHANGED, Cluster
from services.deployer.drivers.helm.history import Revision
from services.deployer.drivers.helm.manifest import Workload
from services.deployer.drivers.helm.place import ORDER_LABEL, Place
from shared.core.retrying import back_offs, pause

MERGE = {"Content-Type": "application/merge-patch+json"}

MORE_TRIES = 8
"""Of a record that is another each time it is written, about eight seconds: what stands before the API server may
answer so for ever."""


class Releases:
    """The records of one release."""

    def __init__(self, cluster: Cluster, place: Place) -> None:
        self._cluster = cluster
        self._place = place
        self._secrets = f"/api/v1/namespaces/{place.namespace}/secrets"

    async def all(self) -> list[Revision]:
        """Every revision there is, the oldest first."""
        chosen = f"owner=helm,name={self._place.release}"
        found = await self._cluster.list(self._secrets, metadata_only=True, labelSelector=chosen)
        each = (history.revision_of(one.get("metadata") or {}, self._cluster.now) for one in found)
        return sorted((one for one in each if one), key=lambda one: one.number)

    async def marked(self, base: int | None, target: str | None, mark: str) -> list[Revision]:
        """The same, where a rollback's own revision has the mark of its order, which Helm does not give it."""
        revisions = await self.all()
        if base is None or target is None:
            return revisions
        return [
            history.with_mark_of_rollback(each, await self.record(each), target, mark)
            if each.number == base + 1 and each.mark != mark
            else each
            for each in revisions
        ]

    async def running(self) -> dict[str, Any]:
        """What Helm wrote down of the revision that runs, as far as it knows; empty where none does."""
        chosen = f"owner=helm,name={self._place.release},status=deployed"
        found = await self._cluster.list(self._secrets, labelSelector=chosen)
        return self._decoded(found[-1], "that runs") if found else {}

    async def record(self, revision: Revision) -> dict[str, Any]:
        """What Helm wrote down of a revision; empty when it is gone. Raises Failed when it cannot be read."""
        secret = await self._cluster.get(f"{self._secrets}/{revision.secret}")
        return {} if secret is None else self._decoded(secret, str(revision.number))

    def _decoded(self, secret: Mapping[str, Any], which: str) -> dict[str, Any]:
        try:
            return history.decode((secret.get("data") or {}).get("release") or "")
        except ValueError as error:
            raise Failed("bad_record", f"revision {which} of {self._place.release} {error}") from None

    async def workloads(self, revision: Revision) -> tuple[Workload, ...]:
        """The workloads that a revision consists of."""
        return (await self.asked(revision))[0]

    async def asked(self, revision: Revision) -> tuple[tuple[Workload, ...], Mapping[Workload, int]]:
        """The same, and how many replicas the chart asks for, of those where it does."""
        return self.asked_by(await self.record(revision))

    def asked_by(self, record: Mapping[str, Any]) -> tuple[tuple[Workload, ...], Mapping[Workload, int]]:
        """The same of what Helm wrote down."""
        text, namespace = str(record.get("manifest") or ""), self._place.namespace
        return manifest.workloads(text, namespace), manifest.replicas(text, namespace)

    async def discard(self, revision: Revision) -> None:
        """Forget a revision that an order has left half-done and is about to make again, under the same number."""
        only = {"preconditions": {"resourceVersion": revision.version}}
        await self._cluster.ask("DELETE", f"{self._secrets}/{revision.secret}", body=only)

    async def give_up(self, revision: Revision, why: str) -> None:
        """Call a pending revision failed, as its helm would have: no later helm is then kept from its work.

        Where the answer of the API server was lost, it is asked again and says that the record has changed meanwhile:
        by ourselves. Raises Failed where somebody else has brought the revision to another end, and where the record is
        said to have changed each time.
        """
        now: Revision | None = revision
        waits = islice(back_offs(), MORE_TRIES)
        while now and now.status != history.FAILED and (refused := await self._call_failed(now, why)):
            if (seconds := next(waits, None)) is None:
                which = f"revision {now.number} of {self._place.release}, which is {now.status},"
                raise Failed(CHANGED, f"{which} cannot be called failed: {refused.broken.message} ({why})")
            await pause(seconds)
            now = await self._again(revision)
            if now and not now.pending and now.status != history.FAILED:
                raise Failed(CHANGED, f"revision {now.number} of {self._place.release} is {now.status} now")

    async def _call_failed(self, revision: Revision, why: str) -> Failed | None:
        """None once it is so; the refusal where its record is another than we know."""
        record = history.failed(await self.record(revision), why)
        patch = {
            "metadata": {"resourceVersion": revision.version, "labels": {"status": history.FAILED}},
            "data": {"release": history.encode(record)},
        }
        try:
            await self._cluster.ask("PATCH", f"{self._secrets}/{revision.secret}", headers=MERGE, body=patch)
        except Failed as failed:
            if failed.broken.code != CHANGED:
                raise
            return failed
        return None

    async def _again(self, revision: Revision) -> Revision | None:
        """A revision as it is now; None when it is gone."""
        secret = await self._cluster.get(f"{self._secrets}/{revision.secret}")
        return history.revision_of((secret or {}).get("metadata") or {}, self._cluster.now)

    async def sign(self, revision: Revision, mark: str) -> Revision:
        """Put the mark of an order on the revision that it made."""
        patch = {"metadata": {"labels": {ORDER_LABEL: mark}}}
        await self._cluster.ask("PATCH", f"{self._secrets}/{revision.secret}", headers=MERGE, body=patch)
        return replace(revision, mark=mark)
