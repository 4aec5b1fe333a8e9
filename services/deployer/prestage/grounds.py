"""What plans stand on beside their releases, where content was prepared: what lies on the site, and what may go."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from services.deployer.domain import Deployment, Operation, way_back
from services.deployer.phases import LEAVING
from services.deployer.plan import Ground, Prepared
from services.deployer.prestage.policy import leaving
from services.deployer.prestage.store import Pair, PrestageStore

KEPT = 1_000


class PrestageGrounds:
    """Looks it up for a batch; of sites where nothing was ever prestaged, nothing is asked."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._prepared: dict[Pair, Prepared] = {}
        """What was looked up before. That stays as it is, but a version may be deleted and published again with
        other content: whatever its event was told to which replica, the digests are asked for each time."""

    async def added(
        self, store: PrestageStore, operations: Sequence[Operation], grounds: Sequence[Ground]
    ) -> list[Ground]:
        """The grounds with what is known of content; they stay as they are where none is."""
        pairs = list(zip(operations, grounds, strict=True))
        wanted = {(o.app, v) for o, g in pairs if o.kind in LEAVING or g.deployment.prestaged for v in _versions(o, g)}
        if not wanted:
            return list(grounds)
        prepared = await self._of(store, wanted)
        prestages = [(o, _with(o, g, prepared, self._keep)) for o, g in pairs]
        needed = await self._needed(store, [(o.site, o.app) for o, g in prestages if g.leaving])
        return [replace(g, needed=frozenset(needed[o.site])) if o.site in needed else g for o, g in prestages]

    async def _of(self, store: PrestageStore, wanted: set[Pair]) -> Mapping[Pair, Prepared]:
        bundles = await store.prepared_bundles(wanted)
        found = {pair: known for pair in bundles if (known := self._prepared.get(pair))}
        found = {pair: known for pair, known in found.items() if known.bundle_sha256 == bundles[pair]}
        if unknown := bundles.keys() - found.keys():
            fresh = await store.prepared(unknown)
            if len(self._prepared) > KEPT:
                self._prepared.clear()
            self._prepared.update(fresh)
            found |= fresh
        return found

    async def _needed(self, store: PrestageStore, deployed: Sequence[tuple[str, str]]) -> dict[str, set[str]]:
        """By site, digests of what its other apps may need."""
        others = await store.others(deployed) if deployed else []
        prepared = await self._of(store, {(each.app, v) for each in others for v in each.versions}) if others else {}
        needed: dict[str, set[str]] = {}
        for each in others:
            found = (prepared.get((each.app, version)) for version in each.versions)
            needed.setdefault(each.site, set()).update(i.sha256 for known in found if known for i in known.items)
        return needed


def _with(operation: Operation, ground: Ground, prepared: Mapping[Pair, Prepared], keep: int) -> Ground:
    if operation.kind not in LEAVING and not ground.deployment.prestaged:
        return ground
    app = operation.app
    known = {v: prepared[app, v] for v in _versions(operation, ground) if (app, v) in prepared}
    goes = leaving(ground.deployment, operation.to_version, keep) if operation.kind in LEAVING else ()
    return replace(ground, prepared=known, leaving=goes)


def _versions(operation: Operation, ground: Ground) -> Iterable[str]:
    """The releases whose content matters."""
    deployment = ground.deployment
    lies = [each.version for each in deployment.prestaged]
    if operation.kind not in LEAVING:
        return [v for v in lies if v in (operation.to_version, operation.from_version)]
    return {v for v in (operation.to_version, *lies, *_in_use(deployment)) if v}


def _in_use(deployment: Deployment) -> Iterable[str | None]:
    return deployment.version, way_back(deployment), *deployment.leftovers
