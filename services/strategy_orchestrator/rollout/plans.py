"""Plans: made of what is known of sites and releases now, and told."""

from collections.abc import Sequence
from dataclasses import replace

from services.strategy_orchestrator import store
from services.strategy_orchestrator.message_parts import abridged
from services.strategy_orchestrator.planning import Plan, plan, selection_faults
from services.strategy_orchestrator.rollout.events import state_event
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.rollout.undoing import Undoing
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.strategies import Candidate, Target
from shared.messages.base import ErrorCode, Fault
from shared.messages.strategy import BATCH, Selection, StepChange, StepsChanged, StrategyPlanned, StrategySpec
from shared.messages.strategy_spec import TAKES_SITES_TO_A_RELEASE
from shared.messages.words import StepState
from shared.versions import spelt_as


async def target_of(work: UnitOfWork, spec: StrategySpec, undone: Undoing | None = None) -> tuple[Target, list[Fault]]:
    """The release to reach, with its version as the release is written: who asks for 1.0 may mean 1.0.0."""
    releases = await store.releases.releases_of(work.conn, spec.app)
    undo = undone.undone if undone else None
    target = Target(spec.app, spec.version, spec.force, releases, undo, spec.only_changes)
    if spec.publication is not None:
        return target, _publication_faults(spec)
    if not releases:
        message = f"there is no app '{spec.app}'; publish a release of it first"
        return target, [_fault("unknown_app", "spec.app", message, spec.app)]
    if spec.version is None:
        return target, []
    version = spelt_as(next(iter(releases.values())).scheme, spec.version, releases)
    release = releases.get(version or "")
    if version is not None and release is not None and not release.withdrawn:
        return replace(target, version=version), []
    known = ", ".join(sorted(version for version, known in releases.items() if not known.withdrawn)) or "none"
    message = f"release {spec.version} of {spec.app} {'is withdrawn' if release else 'is unknown'}; available: {known}"
    target = replace(target, releases={})  # said once; not of each site as well
    return target, [_fault("unknown_release", "spec.version", message, spec.version)]


def _publication_faults(spec: StrategySpec) -> list[Fault]:
    wrong = (
        "goes in place of a version: leave one of them out"
        if spec.version
        else f"says which release sites are taken to; a strategy of type {spec.type} takes none"
        if spec.type not in TAKES_SITES_TO_A_RELEASE
        else ""
    )
    message = f"a publication {wrong}"
    return [_fault(ErrorCode.INVALID_FIELD, "spec.publication", message, spec.publication or "")] if wrong else []


async def made(work: UnitOfWork, spec: StrategySpec, target: Target) -> Plan:
    """Of the sites as they are now. What waits for its release has none yet but what is wrong with the selection."""
    sites = await _candidates(work, spec, target)
    passed_by = await _passed_by(work, spec, {site.name for site in sites})
    groups = await store.groups.groups(work.conn)
    if spec.publication is not None:
        return Plan(faults=selection_faults(spec, sites, groups, passed_by))
    return plan(spec, sites, groups, target, passed_by)


async def _candidates(work: UnitOfWork, spec: StrategySpec, target: Target) -> Sequence[Candidate]:
    """What was selected; for an undo, of the sites that were changed."""
    selection = spec.selection
    if target.undo is not None and not selection.sites:
        if not target.undo.changed:
            return []  # no name at all would mean every site
        selection = Selection.model_construct(**{**dict(selection), "sites": tuple(target.undo.changed)})
    return await store.sites.candidates(work.conn, spec.app, selection)


async def _passed_by(work: UnitOfWork, spec: StrategySpec, selected: set[str]) -> frozenset[str]:
    """Named sites that there are, but that the rest of the selection does not hold."""
    missing = [name for name in spec.selection.sites if name not in selected]
    return frozenset(await store.sites.known_sites(work.conn, missing) if missing else ())


def faults_of(made: Plan) -> list[Fault]:
    """Why it cannot be, with the fields as a command has them."""
    return [fault.model_copy(update={"field": f"spec.{fault.field}"}) for fault in made.faults]


def tell(work: UnitOfWork, tracked: TrackedStrategy, spec: StrategySpec, made: Plan) -> None:
    """A strategy as it was planned, its steps, and that it is ready. One that waits is told so, without stages."""
    kept, unnamed = abridged(spec)
    event = StrategyPlanned(
        strategy_id=tracked.now.id,
        spec=kept,
        names_left_out=unnamed,
        stages=tuple(made.stages),
        excluded=tuple(made.excluded),
        excluded_count=made.left_out,
        targets=made.summary,
        created_by=tracked.stored.created_by,
        created_at=tracked.stored.created_at,
    )
    tracked.emit(work, event)
    _list_steps(work, tracked, made)


def _list_steps(work: UnitOfWork, tracked: TrackedStrategy, made: Plan) -> None:
    """In batches; each is text before the next is made, or 100,000 steps would take 100 MiB."""
    places = [(site, number, made.targets.get(site)) for number, sites in enumerate(made.sites) for site in sites]
    for start in range(0, len(places), BATCH):
        steps = tuple(_waiting(*place) for place in places[start : start + BATCH])
        tracked.emit(work, StepsChanged.model_construct(strategy_id=tracked.now.id, steps=steps, at=work.now))
    tracked.emit(work, state_event(tracked.now, work.now))


def _waiting(site: str, stage: int, target: str | None) -> StepChange:
    facts = {"site": site, "stage": stage, "target": target}
    return StepChange(**facts, state=StepState.WAITING, attempt=1, operation_id=None, why=None)


def _fault(code: str, field: str, message: str, value: str) -> Fault:
    return Fault(code=code, field=field, message=message, value=value)
