"""Gathers what plans stand on and asks the drivers what plans depend on; the plans themselves are pure (plan.py)."""

from collections.abc import Mapping, Sequence

from services.deployer import plan
from services.deployer.domain import Deployment, Operation, Site
from services.deployer.drivers.registry import DriverRegistry
from services.deployer.engine.contents import content_of
from services.deployer.engine.questions import ASKED_AGAIN, Questions
from services.deployer.evidence import fit_to_tell
from services.deployer.phases import LEAVING
from services.deployer.plan import Content, Ground, Plan, Recorded
from services.deployer.prestage.grounds import PrestageGrounds
from services.deployer.prestage.planning import plan_of
from services.deployer.secrets.opening import Opened, SecretOpener
from services.deployer.secrets.values import hide
from services.deployer.store import Pair, Store
from shared.messages.deployer import ForeseenDecision

Deployed = tuple[Site, Deployment]

CONTENTS_KEPT = 1_000


class Planner:
    """Makes the plans of a batch of operations: one query a kind, one question a driver."""

    def __init__(self, registry: DriverRegistry, secrets: SecretOpener, prestaged_keep: int = 2) -> None:
        self._registry = registry
        self._secrets = secrets
        self._questions = Questions(registry, secrets)
        self._prestages = PrestageGrounds(prestaged_keep)
        self._contents: dict[Pair, Content] = {}
        """What was looked up before: a release never changes."""

    async def grounds(self, store: Store, operations: Sequence[Operation], there: Sequence[Deployed]) -> list[Ground]:
        """What the plans of these operations stand on; `there` are their sites and deployments."""
        pairs = list(zip(operations, there, strict=True))
        contents = await self._contents_of(store, {(o.app, v) for o, (_, d) in pairs for v in _versions(o, d)})
        deployed = [(o.site, o.app, _versions(o, d)) for o, (_, d) in pairs if d.exists]
        recorded = await store.revisions(deployed) if deployed else {}
        grounds = [_ground(o, site, deployment, contents, recorded) for o, (site, deployment) in pairs]
        return await self._prestages.added(store.prestages, operations, grounds)

    async def _contents_of(self, store: Store, releases: set[Pair]) -> Mapping[Pair, Content]:
        if unknown := releases - self._contents.keys():
            if len(self._contents) > CONTENTS_KEPT:
                self._contents.clear()
                unknown = releases
            found = await store.contents(unknown)
            self._contents.update((pair, content_of(release)) for pair, release in found.items())
        return self._contents

    def asks_sites(self, operation: Operation, ground: Ground, version: str | None) -> bool:
        """Whether a plan towards `version` waits for answers of sites."""
        return any(self._registry.asks_sites(each.driver) for each in plan.questions(operation, ground, version))

    async def forward(self, planned: Sequence[tuple[Operation, Ground]]) -> list[Plan]:
        """The plans to what was asked for."""
        return await self._plans_forward(planned)

    async def _plans_forward(self, planned: Sequence[tuple[Operation, Ground]], again: int = ASKED_AGAIN) -> list[Plan]:
        answered = await self._questions.ask([(o, g, o.to_version) for o, g in planned], again)
        return [self._forward(o, g, known) for (o, _), (g, known) in zip(planned, answered, strict=True)]

    def _forward(self, operation: Operation, ground: Ground, known: Sequence[Recorded]) -> Plan:
        if operation.kind in LEAVING:  # of what is not prepared nobody knows yet what it brings
            return plan_of(operation, ground, self._registry.can, "").plan if _prepared(operation, ground) else ()
        return plan.forward(operation, ground, known)

    async def back(self, planned: Sequence[tuple[Operation, Ground, Plan]]) -> list[Plan]:
        """The plans back to what was there before the failed plans."""
        answered = await self._questions.ask([(o, g, o.from_version) for o, g, _ in planned])
        return [
            plan.recovery(o, g, known, failed) for (o, _, failed), (g, known) in zip(planned, answered, strict=True)
        ]

    async def preview(self, store: Store, operations: Sequence[Operation]) -> list[Sequence[ForeseenDecision]]:
        """The plans that operations would have if they were begun now, with what they would change on the sites."""
        if not operations:
            return []
        there = await store.grounds((o.site, o.app) for o in operations)
        planned = list(zip(operations, await self.grounds(store, operations, there), strict=True))
        plans = await self._plans_forward(planned, again=0)
        changes = await self._changes([(o, g, p) for (o, g), p in zip(planned, plans, strict=True)])
        return [
            [ForeseenDecision(**way.model_dump(), changes=changes.get((o.id, way.component), ())) for way in each]
            for (o, _), each in zip(planned, plans, strict=True)
        ]

    async def _changes(self, planned: Sequence[tuple[Operation, Ground, Plan]]) -> dict[tuple[str, str], Sequence[str]]:
        """By operation and component: what the drivers foresee. A value that is secret is hidden in it."""
        asked = [
            (o, plan.order_for(o, g, "foresee", way, o.to_version)) for o, g, p in planned for way in plan.touched(p)
        ]
        opened = await self._secrets.open([order for _, order in asked]) if asked else []
        sound = [(o.id, each) for (o, _), each in zip(asked, opened, strict=True) if isinstance(each, Opened)]
        lines = await self._registry.foresee([each.order for _, each in sound])
        return {
            (operation, each.order.component.name): fit_to_tell(hide(each.looks, line) for line in some)
            for (operation, each), some in zip(sound, lines, strict=True)
        }


def _prepared(operation: Operation, ground: Ground) -> bool:
    return operation.to_version in ground.prepared and operation.to_version in ground.contents


def _versions(operation: Operation, deployment: Deployment) -> set[str]:
    named: tuple[str | None, ...] = (operation.to_version, operation.from_version, deployment.version)
    named = (*named, *deployment.leftovers)
    if operation.kind in LEAVING:  # some of what lies there may go
        named = (*named, *(each.version for each in deployment.prestaged))
    return {version for version in named if version}


def _ground(
    operation: Operation,
    site: Site,
    deployment: Deployment,
    contents: Mapping[Pair, Content],
    recorded: Mapping[Pair, Sequence[Recorded]],
) -> Ground:
    known = {v: contents[operation.app, v] for v in _versions(operation, deployment) if (operation.app, v) in contents}
    return Ground(site, deployment, known, recorded.get((operation.site, operation.app), ()))
