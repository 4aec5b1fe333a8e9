"""From a spec and the sites it selects to a plan: which site in which stage, which are left out, what is wrong.

Pure: the same spec and sites give the same plan. All faults are found at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.strategy_orchestrator.dealing import deal_out, shares
from services.strategy_orchestrator.domain import slots
from services.strategy_orchestrator.strategies import TYPES
from services.strategy_orchestrator.strategies.site import Candidate, Target, unfit
from shared.messages.base import Fault
from shared.messages.strategy import Excluded, StagePlan, StageSpec, StrategySpec, Why


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
    groups: dict[str, str] | None = None
    """The group of each site that has one, where any has."""
    excluded: list[Excluded] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def plan(
    spec: StrategySpec,
    candidates: Sequence[Candidate],
    groups: Mapping[str, Group],
    target: Target,
    passed_by: frozenset[str] = frozenset(),
) -> Plan:
    """Judge every candidate, then deal those that take part out to the stages.

    `passed_by` are sites that the selection names and that there are, but that its other parts do not let in.
    """
    made = Plan(faults=[*_missing_sites(spec, candidates, groups, passed_by), *_unknown_groups(spec, groups)])
    taking_part = _judge(spec, candidates, target, made)
    if not made.faults and not taking_part:
        made.faults.append(_nothing_to_do(spec, made.excluded))
    if not made.faults:
        _deal_out(spec, taking_part, made)
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


def _deal_out(spec: StrategySpec, sites: Sequence[Candidate], made: Plan) -> None:
    dealt = deal_out(spec, sites)
    made.faults += dealt.faults
    made.groups = {site.name: site.group for site in sites if site.group is not None} or None
    for position, (stage, members) in enumerate(dealt.stages):
        made.sites.append([site.name for site in members])
        made.stages.append(_stage_plan(spec, stage, position, members, len(dealt.stages)))


def _stage_plan(
    spec: StrategySpec,
    stage: StageSpec,
    position: int,
    members: Sequence[Candidate],
    stages: int,
) -> StagePlan:
    shown, more = shares(members, spec.spread, stages)
    return StagePlan(
        position=position,
        name=stage.name,
        sites=len(members),
        max_parallel=_limit(spec, stage, len(members)),
        soak_seconds=stage.soak_seconds,
        spread=shown,
        spread_more=more,
    )


def _limit(spec: StrategySpec, stage: StageSpec, sites: int) -> int:
    """The stage's own limit, else the strategy's. Those of groups hold beside it, while it runs."""
    limit = spec.max_parallel if stage.max_parallel is None else stage.max_parallel
    return slots(limit, spec.apply_type, sites)


# -- faults -------------------------------------------------------------------------------------------------------


def _missing_sites(
    spec: StrategySpec, candidates: Iterable[Candidate], groups: Mapping[str, Group], passed_by: frozenset[str]
) -> list[Fault]:
    """Named sites that are not selected; with an unknown group in the selection nobody knows which would be."""
    known = {site.name for site in candidates}
    missing = [(f"selection.sites.{i}", name) for i, name in enumerate(spec.selection.sites) if name not in known]
    unknown = [_unknown("site", field, name) for field, name in missing if name not in passed_by]
    if not all(name in groups for name in spec.selection.groups):
        return unknown
    return unknown + [_not_let_in(field, name) for field, name in missing if name in passed_by]


def _not_let_in(field: str, name: str) -> Fault:
    message = f"site '{name}' is named, but excluded, or not in the groups or without the labels that are asked as well"
    return Fault(code="not_selected", field=field, message=message, value=name)


def _unknown_groups(spec: StrategySpec, groups: Mapping[str, Group]) -> list[Fault]:
    chosen = spec.selection
    places = [(f"selection.groups.{i}", name) for i, name in enumerate(chosen.groups)]
    places += [(f"selection.exclude.groups.{i}", name) for i, name in enumerate(chosen.exclude.groups)]
    for number, stage in enumerate(spec.stages):
        places += [(f"stages.{number}.groups.{i}", name) for i, name in enumerate(stage.groups)]
    return [_unknown("group", field, name) for field, name in places if name not in groups]


def _unknown(kind: str, field: str, name: str) -> Fault:
    return Fault(code=f"unknown_{kind}", field=field, message=f"there is no {kind} '{name}'", value=name)


def _nothing_to_do(spec: StrategySpec, excluded: Sequence[Excluded]) -> Fault:
    if not excluded:
        return Fault(code="empty_selection", field="selection", message="the selection matches no site")
    reasons = "; ".join(f"{e.site}: {e.message}" for e in excluded[:5])
    message = f"none of the {len(excluded)} selected sites takes part: {reasons}"
    return Fault(code="nothing_to_do", field="selection", message=message, value=spec.name)


def _fault(why: Why, field: str, value: str) -> Fault:
    return Fault(code=why.code, field=field, message=why.message, value=value)
