"""From a spec and the sites it selects to a plan: which site in which stage, which are left out, what is wrong.

Pure: the same spec and sites give the same plan. All faults are found at once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.strategy_orchestrator.domain import slots
from services.strategy_orchestrator.rollout.assignment import assign_stages, shares
from services.strategy_orchestrator.strategies import Type, type_of
from services.strategy_orchestrator.strategies.remove import ALREADY_REMOVED
from services.strategy_orchestrator.strategies.site import ALREADY_THERE, Candidate, Target, unreachable
from shared.messages.base import Fault, some_of
from shared.messages.strategy import Excluded, Selection, StagePlan, StageSpec, StrategySpec, TargetCount, Why
from shared.messages.words import MAX_PARALLEL


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
    targets: dict[str, str] = field(default_factory=dict)
    """The release that each site is to reach, where that is not the same for all."""
    excluded: list[Excluded] = field(default_factory=list)
    """The first EXCLUDED_SHOWN sites that are left out."""
    left_out: int = 0
    """How many are."""
    at_rest: list[Candidate] = field(default_factory=list)
    """Those of them that are where they should be: a stage may name them, or take none but them."""
    faults: list[Fault] = field(default_factory=list)

    def leave_out(self, site: str, why: Why) -> None:
        """Count a site that takes no part, and note the first of them with the reason."""
        self.left_out += 1
        if len(self.excluded) < EXCLUDED_SHOWN:
            self.excluded.append(Excluded(site=site, code=why.code, message=why.message[:MOST_REASON]))

    @property
    def summary(self) -> tuple[TargetCount, ...]:
        """How many sites go to which release, the commonest first; empty where it is the same for all."""
        commonest = Counter(self.targets.values()).most_common(TARGETS_SHOWN)
        return tuple(TargetCount(version=version, sites=count) for version, count in commonest)


Place = tuple[str, str]
"""Where a name stands in a spec, and the name."""

EVERYTHING = (Selection(), Selection(all=True))
"""Selections that narrow nothing."""

EXCLUDED_SHOWN, MOST_REASON = 1_000, 300
"""An event lists so many left-out sites, with so many characters of a reason (the ranges of a release may be long): it
stays below Kafka's limit for a record, and the count is exact."""

TARGETS_SHOWN = 100
"""An event lists so many different releases; the steps say it all."""

AT_REST = frozenset({ALREADY_THERE, ALREADY_REMOVED, "no_previous_release"})
"""Reasons that a named site may have: it is where it should be, and must not stop what is urgent elsewhere."""


def plan(
    spec: StrategySpec,
    candidates: Sequence[Candidate],
    groups: Mapping[str, Group],
    target: Target,
    passed_by: frozenset[str] = frozenset(),
) -> Plan:
    """Judge every candidate, then assign those that take part to the stages.

    `passed_by` are sites that the selection names and that there are, but that its other parts do not let in.
    """
    made = Plan(faults=selection_faults(spec, candidates, groups, passed_by))
    taking_part = _judge(spec, candidates, target, made)
    made.faults += _mixed(spec, made)
    if not made.faults and not taking_part:
        made.faults.append(_nothing_to_do(spec, made))
    if not made.faults:
        _assign_stages(spec, taking_part, made)
    return made


def _judge(spec: StrategySpec, candidates: Sequence[Candidate], target: Target, made: Plan) -> list[Candidate]:
    """A site that was named must take part, so its exclusion is a fault; others are left out with the reason.

    A site that is busy takes part and waits when its turn comes; one that another strategy holds takes part if that
    has ended when this one is applied.
    """
    kind = type_of(spec)
    named = {name: index for index, name in enumerate(spec.selection.sites)}
    taking_part, barred = [], []
    for site in candidates:
        version = kind.goal(site, target)
        if why := _why_left_out(kind, site, target, version):
            if site.name in named and why.code not in AT_REST:
                barred.append((named[site.name], site.name, why.code, why.message[:MOST_REASON]))
                continue
            made.leave_out(site.name, why)
            made.at_rest += [site] if why.code in AT_REST else []
            continue
        taking_part.append(site)
        if target.version is None and version is not None:
            made.targets[site.name] = version
    made.faults += some_of(barred, _barred)
    for name in _gone(candidates, target) if spec.selection in EVERYTHING else ():
        made.leave_out(name, Why(code="unknown_site", message=f"site {name} was removed"))
    return taking_part


def _why_left_out(kind: Type, site: Candidate, target: Target, version: str | None) -> Why | None:
    standing = (why for heed in kind.heeds if (why := heed(site, target)))
    return next(standing, None) or kind.judge(site, target) or unreachable(site, target, version)


def _gone(candidates: Iterable[Candidate], target: Target) -> list[str]:
    """Sites that the undone strategy changed and that were removed since."""
    known = {site.name for site in candidates}
    return sorted(target.undo.changed.keys() - known) if target.undo else []


def _mixed(spec: StrategySpec, made: Plan) -> list[Fault]:
    """A rollback without version means "where they were before"; where that differs, a person must have seen it."""
    if spec.mixed or spec.undo or len(ways := made.summary) < 2:
        return []
    shown = ", ".join(f"{way.sites} to {way.version}" for way in ways[:5]) + (", …" if len(ways) > 5 else "")
    message = (
        f"the sites would go to different releases: {shown}; name a version, undo the strategy that brought them here, "
        "or set `mixed` if this is meant"
    )
    return [Fault(code="mixed_targets", field="mixed", message=message, value={w.version: w.sites for w in ways})]


def _assign_stages(spec: StrategySpec, sites: Sequence[Candidate], made: Plan) -> None:
    assignment = assign_stages(spec, sites, made.at_rest)
    made.faults += assignment.faults
    made.groups = {site.name: site.group for site in sites if site.group is not None} or None
    for position, (stage, members) in enumerate(assignment.stages):
        made.sites.append([site.name for site in members])
        made.stages.append(_stage_plan(spec, stage, position, members, len(assignment.stages)))


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
    return min(slots(limit, spec.apply_type, sites), MAX_PARALLEL)  # a per cent may be of 100,000 sites


# -- faults -------------------------------------------------------------------------------------------------------


def selection_faults(
    spec: StrategySpec, candidates: Iterable[Candidate], groups: Mapping[str, Group], passed_by: frozenset[str]
) -> list[Fault]:
    """Sites and groups that are named and that there are not; this is known before there is a release to judge by."""
    return [*_missing_sites(spec, candidates, groups, passed_by), *_unknown_groups(spec, groups)]


def _missing_sites(
    spec: StrategySpec, candidates: Iterable[Candidate], groups: Mapping[str, Group], passed_by: frozenset[str]
) -> list[Fault]:
    """Named sites that are not selected; with an unknown group in the selection nobody knows which would be."""
    known = {site.name for site in candidates}
    missing = [(f"selection.sites.{i}", name) for i, name in enumerate(spec.selection.sites) if name not in known]
    unknown = some_of([place for place in missing if place[1] not in passed_by], _unknown_site)
    if not all(name in groups for name in spec.selection.groups):
        return unknown
    return unknown + some_of([place for place in missing if place[1] in passed_by], _not_let_in)


def _not_let_in(place: Place) -> Fault:
    field, name = place
    message = f"site '{name}' is named, but excluded, or not in the groups or without the labels that are asked as well"
    return Fault(code="not_selected", field=field, message=message, value=name)


def _unknown_groups(spec: StrategySpec, groups: Mapping[str, Group]) -> list[Fault]:
    chosen = spec.selection
    places = [(f"selection.groups.{i}", name) for i, name in enumerate(chosen.groups)]
    places += [(f"selection.exclude.groups.{i}", name) for i, name in enumerate(chosen.exclude.groups)]
    for number, stage in enumerate(spec.stages):
        places += [(f"stages.{number}.groups.{i}", name) for i, name in enumerate(stage.groups)]
    return some_of([place for place in places if place[1] not in groups], _unknown_group)


def _unknown_site(place: Place) -> Fault:
    field, name = place
    return Fault(code="unknown_site", field=field, message=f"there is no site '{name}'", value=name)


def _unknown_group(place: Place) -> Fault:
    field, name = place
    return Fault(code="unknown_group", field=field, message=f"there is no group '{name}'", value=name)


def _nothing_to_do(spec: StrategySpec, made: Plan) -> Fault:
    if not made.left_out and spec.undo:
        return Fault(code="nothing_to_do", field="undo", message="that strategy changed no site", value=spec.undo)
    if not made.left_out:
        return Fault(code="empty_selection", field="selection", message="the selection matches no site")
    reasons = "; ".join(f"{e.site}: {e.message}" for e in made.excluded[:5])
    message = f"none of the {made.left_out} selected sites takes part: {reasons}"
    return Fault(code="nothing_to_do", field="selection", message=message, value=spec.name)


def _barred(named: tuple[int, str, str, str]) -> Fault:
    index, site, code, message = named
    return Fault(code=code, field=f"selection.sites.{index}", message=message, value=site)
