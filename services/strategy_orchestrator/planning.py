"""From a spec and the sites it selects to a plan: which site in which stage, which are left out, what is wrong.

Pure: the same spec and sites give the same plan. All faults are found at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.strategy_orchestrator.domain import slots
from services.strategy_orchestrator.strategies import TYPES
from services.strategy_orchestrator.strategies.site import Candidate, Target, unfit
from shared.messages.base import Fault
from shared.messages.strategy import Excluded, StagePlan, StageSpec, StrategySpec, Why
from shared.messages.words import resolve


@dataclass(frozen=True, slots=True)
class Group:
    """The limits of a group."""

    apply_type: str
    max_parallel: int | str


@dataclass(slots=True)
class Plan:
    """What would be done; or, with `faults`, why it would not."""

    stages: list[StagePlan] = field(default_factory=list)
    sites: list[list[str]] = field(default_factory=list)
    """Names of the sites of each stage, in the order in which they start."""
    excluded: list[Excluded] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def plan(spec: StrategySpec, candidates: Sequence[Candidate], groups: Mapping[str, Group], target: Target) -> Plan:
    """Judge every candidate, then deal those that take part out to the stages."""
    made = Plan(faults=[*_unknown_sites(spec, candidates), *_unknown_groups(spec, groups)])
    taking_part = _judge(spec, candidates, target, made)
    if not made.faults and not taking_part:
        made.faults.append(_nothing_to_do(spec, made.excluded))
    if not made.faults:
        _deal_out(spec, taking_part, groups, made)
    return made


def _judge(spec: StrategySpec, candidates: Sequence[Candidate], target: Target, made: Plan) -> list[Candidate]:
    """A site that was named must take part, so its exclusion is a fault; others are left out with the reason."""
    judge = TYPES[spec.type].judge
    named = {name: index for index, name in enumerate(spec.selection.sites)}
    taking_part = []
    for site in candidates:
        why = unfit(site) or judge(site, target)
        if why is None:
            taking_part.append(site)
        elif site.name in named:
            made.faults.append(_fault(why, f"selection.sites.{named[site.name]}", site.name))
        else:
            made.excluded.append(Excluded(site=site.name, code=why.code, message=why.message))
    return taking_part


def _deal_out(spec: StrategySpec, sites: Sequence[Candidate], groups: Mapping[str, Group], made: Plan) -> None:
    left = {site.name: site for site in sites}
    for stage in spec.stages:
        named = frozenset(stage.sites)
        matching = [site.name for site in left.values() if _matches(stage, named, site)]
        taken = matching if stage.take is None else matching[: resolve(stage.take, len(sites))]
        for name in taken:
            del left[name]
        if not taken:
            continue  # a stage that matches nothing is not part of the plan
        made.sites.append(taken)
        made.stages.append(_stage_plan(spec, stage, len(made.stages), len(taken), groups))
    if left:
        made.faults.append(_left_over(spec, len(left), len(sites)))
    made.faults.extend(_strangers(spec, {site.name for site in sites}))


def _matches(stage: StageSpec, named: frozenset[str], site: Candidate) -> bool:
    if not (stage.sites or stage.groups or stage.labels):
        return True
    if site.name in named or (site.group is not None and site.group in stage.groups):
        return True
    return bool(stage.labels) and all(site.labels.get(key) == value for key, value in stage.labels.items())


def _stage_plan(
    spec: StrategySpec, stage: StageSpec, position: int, sites: int, groups: Mapping[str, Group]
) -> StagePlan:
    """The stage's own limit, else the smallest of the groups it names, else the strategy's."""
    limits = [slots(groups[name].max_parallel, groups[name].apply_type, sites) for name in stage.groups]
    fallback = min(limits) if limits else slots(spec.max_parallel, "parallel", sites)
    limit = slots(stage.max_parallel, "parallel", sites) if stage.max_parallel is not None else fallback
    return StagePlan(
        position=position,
        name=stage.name,
        sites=sites,
        max_parallel=1 if spec.apply_type == "serial" else limit,
        soak_seconds=stage.soak_seconds,
    )


# -- faults -------------------------------------------------------------------------------------------------------


def _unknown_sites(spec: StrategySpec, candidates: Iterable[Candidate]) -> list[Fault]:
    known = {site.name for site in candidates}
    missing = [(i, name) for i, name in enumerate(spec.selection.sites) if name not in known]
    return [_unknown("site", f"selection.sites.{i}", name) for i, name in missing]


def _unknown_groups(spec: StrategySpec, groups: Mapping[str, Group]) -> list[Fault]:
    places = [(f"selection.groups.{i}", name) for i, name in enumerate(spec.selection.groups)]
    for number, stage in enumerate(spec.stages):
        places += [(f"stages.{number}.groups.{i}", name) for i, name in enumerate(stage.groups)]
    return [_unknown("group", field, name) for field, name in places if name not in groups]


def _unknown(kind: str, field: str, name: str) -> Fault:
    return Fault(code=f"unknown_{kind}", field=field, message=f"there is no {kind} '{name}'", value=name)


def _strangers(spec: StrategySpec, selected: set[str]) -> list[Fault]:
    """Sites that a stage names but the selection does not hold: a slip that would go unnoticed."""
    return [
        Fault(
            code="not_selected",
            field=f"stages.{number}.sites.{i}",
            message=f"site '{name}' takes no part in this strategy; name only sites of the selection",
            value=name,
        )
        for number, stage in enumerate(spec.stages)
        for i, name in enumerate(stage.sites)
        if name not in selected
    ]


def _left_over(spec: StrategySpec, left: int, total: int) -> Fault:
    message = f"the stages take {total - left} of {total} sites; add a last stage without `take` for the rest"
    return Fault(code="stages_leave_sites", field="stages", message=message, value=len(spec.stages))


def _nothing_to_do(spec: StrategySpec, excluded: Sequence[Excluded]) -> Fault:
    if not excluded:
        return Fault(code="empty_selection", field="selection", message="the selection matches no site")
    reasons = "; ".join(f"{e.site}: {e.message}" for e in excluded[:5])
    message = f"none of the {len(excluded)} selected sites takes part: {reasons}"
    return Fault(code="nothing_to_do", field="selection", message=message, value=spec.name)


def _fault(why: Why, field: str, value: str) -> Fault:
    return Fault(code=why.code, field=field, message=why.message, value=value)
