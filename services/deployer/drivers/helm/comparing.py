"""Whether objects are as their release left them: the API server is asked what they would be were it applied again.

It alone knows how it writes quantities, fills in defaults and merges lists. Nothing is changed (`dryRun`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.manifest import has_ttl
from services.deployer.drivers.helm.objects import Object, changed

APPLY = {"Content-Type": "application/apply-patch+yaml"}
AS_IT_WOULD_BE = {"dryRun": "All", "fieldManager": "belay-audit", "force": "true"}

AT_ONCE = 8
"""Objects of one release that are asked about side by side."""

MOST_TOLD = 10
MOST_KNOWN = 100_000

Known = MutableMapping[tuple[str, str], str]
"""By object (its uid) and revision, the version in which it was found to be as released: it is not asked again."""

Kinds = dict[str, Mapping[str, tuple[str, bool]] | None]
"""By API, its kinds: where they are found, and whether they lie in namespaces. None = the cluster has no such API."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of one release in a cluster."""

    cluster: Cluster
    namespace: str
    revision: str
    known: Known
    left_alone: Mapping[str, Sequence[str]]
    """By object, fields that others set."""
    _kinds: Kinds = field(default_factory=dict)

    async def changes(self, objects: Sequence[Object]) -> list[str]:
        """A line for each object that was changed or is gone. Raises Failed where the cluster does not answer."""
        for api in {each.api for each in objects}:
            self._kinds[api] = await self._of(api)
        room = asyncio.Semaphore(AT_ONCE)
        found = [line for line in await asyncio.gather(*(self._said(each, room) for each in objects)) if line]
        more = [f"and {len(found) - MOST_TOLD} more"] if len(found) > MOST_TOLD else []
        return [*found[:MOST_TOLD], *more]

    async def _of(self, api: str) -> Mapping[str, tuple[str, bool]] | None:
        found = await self.cluster.get(api)
        if found is None:
            return None
        served = [each for each in found.get("resources") or () if "/" not in each["name"]]
        return {each["kind"]: (each["name"], bool(each.get("namespaced"))) for each in served}

    async def _said(self, each: Object, room: asyncio.Semaphore) -> str:
        async with room:
            try:
                return await self._difference(each)
            except Failed as failed:
                if failed.broken.code == "unreachable":
                    raise
                return ""  # who is refused an answer has seen nothing that was changed

    async def _difference(self, each: Object) -> str:
        path = self._path(each)
        live = await self.cluster.get(path) if path else None
        if live is None:
            return "" if has_ttl(each.body) else f"{each} is gone"
        identity, version = (_metadata(live, "uid"), self.revision), _metadata(live, "resourceVersion")
        if self.known.get(identity) == version:
            return ""
        as_released = await self.cluster.ask("PATCH", path, AS_IT_WOULD_BE, APPLY, self._body(each))
        said = changed(each, live, as_released or live, self.left_alone.get(str(each), ()))
        if not said:
            self._know(identity, version)
        elif await self._moved(path, version):
            return ""  # somebody is at it this very moment: the next look sees what comes of it
        return said

    def _path(self, each: Object) -> str:
        """Where it is; empty = the cluster does not have its kind."""
        name, in_namespaces = (self._kinds.get(each.api) or {}).get(each.kind, ("", False))
        if not name:
            return ""
        return (
            f"{each.api}/namespaces/{each.namespace or self.namespace}/{name}/{each.name}"
            if in_namespaces
            else (f"{each.api}/{name}/{each.name}")
        )

    def _body(self, each: Object) -> Mapping[str, Any]:
        _, in_namespaces = (self._kinds.get(each.api) or {}).get(each.kind, ("", False))
        where = {"namespace": each.namespace or self.namespace} if in_namespaces else {}
        return {**each.body, "metadata": {**each.body["metadata"], **where}}

    async def _moved(self, path: str, version: str) -> bool:
        now = await self.cluster.get(path)
        return now is None or _metadata(now, "resourceVersion") != version

    def _know(self, identity: tuple[str, str], version: str) -> None:
        self.known[identity] = version
        if len(self.known) > MOST_KNOWN:
            del self.known[next(iter(self.known))]


def _metadata(each: Any, name: str) -> str:
    return str((each.get("metadata") or {}).get(name))
