"""Gathers what plans stand on and asks the drivers what plans depend on; the plans themselves are pure (plan.py)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from services.deployer import plan
from services.deployer.domain import Deployment, Operation, Site, tried
from services.deployer.drivers.registry import DriverRegistry
from services.deployer.engine.contents import Contents, Release
from services.deployer.engine.questions import ASKED_AGAIN, Questions
from services.deployer.evidence import fit_to_tell
from services.deployer.overrides.book import Asked, Book, of
from services.deployer.overrides.telling import misfits_of, secrets_named, with_values
from services.deployer.phases import LEAVING
from services.deployer.plan import Content, Ground, Plan, Recorded
from services.deployer.prestage.grounds import PrestageGrounds
from services.deployer.prestage.planning import plan_of
from services.deployer.secrets.opening import Opened, SecretOpener
from services.deployer.secrets.values import hide
from services.deployer.store import Pair, Store
from shared.messages.base import Fault
from shared.messages.deployer import ForeseenDecision
from shared.values.layers import Effective

Deployed = tuple[Site, Deployment]

Faults = tuple[Fault, ...]


class Planner:
    """Makes the plans of a batch of operations: one query a kind, one question a driver."""

    def __init__(self, registry: DriverRegistry, secrets: SecretOpener, prestaged_keep: int = 2) -> None:
        self._registry = registry
        self._secrets = secrets
        self._questions = Questions(registry, secrets)
        self._prestages = PrestageGrounds(prestaged_keep)
        self._contents, self._book = Contents(), Book()

    async def grounds(self, store: Store, operations: Sequence[Operation], there: Sequence[Deployed]) -> list[Ground]:
        """What the plans of these operations stand on; `there` are their sites and deployments."""
        pairs = list(zip(operations, there, strict=True))
        plain = await self._contents.of(store, {(o.app, v) for o, (_, d) in pairs for v in _versions(o, d)})
        deployed = [(o.site, o.app, _versions(o, d)) for o, (_, d) in pairs if d.exists]
        recorded = await store.revisions(deployed) if deployed else {}
        found = await self._book.effective(store.conn, [each for o, (_, d) in pairs for each in _set_for(o, d)])
        with_overrides = partial(self._content, plain, found) if found else None
        grounds = [_ground(o, site, d, plain, with_overrides, recorded) for o, (site, d) in pairs]
        grounds = await _with_secrets(store, grounds)
        return await self._prestages.added(store.prestages, operations, grounds)

    def _content(
        self,
        plain: Mapping[Pair, Release],
        found: Mapping[Asked, Effective],
        operation: Operation,
        version: str,
        refs: Sequence[str],
    ) -> Content | None:
        """A release with what these changes set; None where it is not known."""
        app = operation.app
        release = plain.get((app, version))
        return self._contents.with_overrides(app, release, of(found, app, operation.site, refs)) if release else None

    async def misfits(self, store: Store, operations: Sequence[Operation], there: Sequence[Deployed]) -> list[Faults]:
        """For each: why its release cannot be deployed with what is set. Nothing is asked where nothing is set."""
        concerned = (
            o.to_version and (o.terms.used or d.overrides) for o, (_, d) in zip(operations, there, strict=True)
        )
        some = [n for n, each in enumerate(concerned) if each]
        faults: list[Faults] = [()] * len(operations)
        if some:
            grounds = await self.grounds(store, [operations[n] for n in some], [there[n] for n in some])
            named = {
                name for n, g in zip(some, grounds, strict=True) for name in secrets_named(g, operations[n].to_version)
            }
            known = await store.known_secrets(named) if named else set()
            for n, ground in zip(some, grounds, strict=True):
                faults[n] = misfits_of(operations[n], ground, known)
        return faults

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
        return with_values(plan.forward(operation, ground, known), operation, ground, always=False)

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
        plans = [with_values(p, o, g, always=True) for p, (o, g) in zip(plans, planned, strict=True)]
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


async def _with_secrets(store: Store, grounds: list[Ground]) -> list[Ground]:
    """With the versions that secrets have now; nothing is asked where nothing was deployed with any."""
    named = {name for ground in grounds for record in ground.recorded for name, _ in record.secrets}
    if not named:
        return grounds  # nearly all
    now = {name: kept.version for name, kept in (await store.secret_versions(named)).items()}
    return [replace(g, secrets=now) if any(record.secrets for record in g.recorded) else g for g in grounds]


def _prepared(operation: Operation, ground: Ground) -> bool:
    return operation.to_version in ground.prepared and operation.to_version in ground.contents


def _versions(operation: Operation, deployment: Deployment) -> set[str]:
    named: tuple[str | None, ...] = (operation.to_version, operation.from_version, deployment.version)
    named = (*named, *deployment.leftovers)
    if operation.kind in LEAVING:  # some of what lies there may go
        named = (*named, *(each.version for each in deployment.prestaged))
    return {version for version in named if version}


def _set_for(operation: Operation, deployment: Deployment) -> list[Asked]:
    """What is set for the target, and what was set for the releases that lie there; of nearly all nothing."""
    if not operation.terms.used and not deployment.overrides:
        return []
    return [(operation.app, operation.site, refs) for refs in (operation.terms.used, *deployment.overrides.values())]


def _ground(
    operation: Operation,
    site: Site,
    deployment: Deployment,
    plain: Mapping[Pair, Release],
    content: Callable[[Operation, str, Sequence[str]], Content | None] | None,
    recorded: Mapping[Pair, Sequence[Recorded]],
) -> Ground:
    """`content` knows what is set; None = nothing is for any of these operations."""
    records = recorded.get((operation.site, operation.app), ())
    versions = _versions(operation, deployment)
    if content is None or not (operation.terms.used or deployment.overrides):
        known = {v: plain[operation.app, v].content for v in versions if (operation.app, v) in plain}
        return Ground(site, deployment, known, records)
    contents, ran = {}, {}
    for version in versions:
        before = deployment.overrides.get(version, ())
        refs = operation.terms.used if version == operation.to_version else before
        if found := content(operation, version, refs):
            contents[version] = found
        lies = version == deployment.version or version in deployment.leftovers
        if lies and refs != before and (as_it_came := content(operation, version, before)):
            ran[version] = as_it_came
    else_set = (content(operation, version, refs) for version, refs in tried(deployment.overrides))
    return Ground(site, deployment, contents, records, ran=ran, tried=[each for each in else_set if each])
