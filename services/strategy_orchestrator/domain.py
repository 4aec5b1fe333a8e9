"""How a strategy moves: pure values, one table of transitions, one function `advance` that decides all of it.

Nothing here knows a clock, a database or a message bus. Whoever loads the rows asks `advance` what follows from
them, does exactly that, and may be interrupted anywhere: asked again, the same rows give the same answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.strategy_orchestrator.rollout.policy import FAILURE_RATE, FAILURE_THRESHOLD, failures_told, rate, trips
from shared.messages.base import Fault
from shared.messages.strategy import Counts, FailurePolicy, Why
from shared.messages.words import StageState, StrategyAction, StrategyState, resolve

S, G, A = StrategyState, StageState, StrategyAction

TRANSITIONS: dict[StrategyState, frozenset[StrategyState]] = {
    S.READY: frozenset({S.APPLYING, S.ABORTED}),
    S.APPLYING: frozenset({S.PAUSED, S.ABORTING, S.NEEDS_INSPECTION, S.COMPLETE, S.FAILED}),
    S.PAUSED: frozenset({S.APPLYING, S.ABORTING, S.NEEDS_INSPECTION}),
    S.ABORTING: frozenset({S.NEEDS_INSPECTION, S.FAILED, S.ABORTED}),
    S.NEEDS_INSPECTION: frozenset({S.PAUSED, S.ABORTING}),
    S.COMPLETE: frozenset(),
    S.FAILED: frozenset({S.APPLYING}),
    S.ABORTED: frozenset({S.APPLYING}),
}
"""What may follow each state. `failed` and `aborted` go on only by a retry."""

ACTIONS: dict[StrategyState, tuple[StrategyAction, ...]] = {
    S.READY: (A.APPLY, A.ABORT, A.DELETE),
    S.APPLYING: (A.PAUSE, A.ABORT, A.CANCEL_RUNNING),
    S.PAUSED: (A.RESUME, A.ABORT, A.CANCEL_RUNNING, A.UNDO),
    S.ABORTING: (A.CANCEL_RUNNING,),
    S.NEEDS_INSPECTION: (A.RECOUNT, A.CANCEL_RUNNING),
    S.COMPLETE: (A.UNDO, A.DELETE),
    S.FAILED: (A.RETRY, A.UNDO, A.DELETE),
    S.ABORTED: (A.RETRY, A.UNDO, A.DELETE),
}
"""What people may do in each state. It decides their commands, and is what they are shown; see `actions_of`."""

ENDED = frozenset({S.COMPLETE, S.FAILED, S.ABORTED})
STAGE_ENDED = frozenset({G.COMPLETE, G.FAILED, G.ABORTED})
LIVE = frozenset({S.APPLYING, S.PAUSED, S.ABORTING, S.NEEDS_INSPECTION})
"""The states in which a strategy holds its sites."""

COUNTS_DIFFER = "counts_differ"
"""The reason of a strategy whose counts do not fit its steps."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One wave as it stands. `counts` always sum to its number of sites."""

    position: int
    name: str
    state: StageState
    counts: Counts
    max_parallel: int
    soak_seconds: int = 0
    soak_until: datetime | None = None
    accepted_failures: int = 0
    """Failures that a person accepted by resuming."""
    blocked: int = 0
    """Waiting sites that are busy with something else and can not take a slot now."""
    full_groups: str = ""
    """In words: the groups for which its sites wait, though the stage has slots for them."""
    moved_at: datetime | None = None
    oldest: str = ""
    """In words: the sites that run longest, once nothing has ended for a while."""
    warning: Why | None = None
    """What the monitor advises, while it holds."""


@dataclass(frozen=True, slots=True)
class StageCount:
    """What the steps of a stage come to."""

    counts: Counts = field(default_factory=Counts)
    blocked: int = 0
    first: int = 0
    """No step that may start stands before this position."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A roll-out as it stands."""

    id: str
    name: str
    state: StrategyState
    why: Why
    policy: FailurePolicy
    stages: tuple[Stage, ...]
    ends_as: StrategyState | None = None
    """What `aborting` leads to, be it after an inspection: failed or aborted."""
    left_out: int = 0
    """Selected sites that the plan left out."""
    skipped: int = 0
    """Aborted sites that were removed: there is nothing to do there, so they do not make it fail."""

    @property
    def counts(self) -> Counts:
        """All stages together."""
        return total_of(stage.counts for stage in self.stages)


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from the rows: the strategy as it should be, and what to do besides saving it."""

    strategy: Strategy
    start: int = 0
    """How many waiting sites of `stage` get a slot now."""
    stage: int | None = None
    abort_waiting: bool = False
    """Every waiting step becomes aborted."""
    soak_until: datetime | None = None
    """Look again at this time."""

    @property
    def let_go(self) -> bool:
        """Whether the strategy releases its sites."""
        return self.strategy.state in ENDED


class Refused(Exception):
    """A person asked for what cannot be; `faults` say why, and what could be."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.message for fault in faults))


def total_of(parts: Iterable[Counts]) -> Counts:
    """The sum of counts."""
    rows = list(parts)
    return Counts(**{name: sum(getattr(row, name) for row in rows) for name in Counts.model_fields})


# -- what people ask for ------------------------------------------------------------------------------------------


def actions_of(strategy: Strategy) -> tuple[StrategyAction, ...]:
    """What people may do with it now: by its state, and by what runs or was changed."""
    counts = strategy.counts
    pointless = set() if counts.running else {A.CANCEL_RUNNING}
    if counts.running or not counts.complete + counts.failed:
        pointless.add(A.UNDO)  # sites still running would be missed by the way back
    return tuple(action for action in ACTIONS[strategy.state] if action not in pointless)


def check(strategy: Strategy, action: StrategyAction) -> None:
    """Raises Refused for what its state does not let people do."""
    if action not in ACTIONS[strategy.state]:
        raise Refused(_wrong_state(strategy, action))


def apply(strategy: Strategy, by: str, reason: str) -> Strategy:
    """Start a strategy that is ready."""
    check(strategy, A.APPLY)
    return _to(strategy, S.APPLYING, Why(code="applying", message=_by(f"started by {by or 'an operator'}", reason)))


def pause(strategy: Strategy, by: str, reason: str) -> Strategy:
    """Start no further site."""
    check(strategy, A.PAUSE)
    return _to(strategy, S.PAUSED, Why(code="paused", message=_by(f"paused by {by or 'an operator'}", reason)))


def resume(strategy: Strategy, by: str, reason: str) -> Strategy:
    """Go on; the failures seen so far are accepted and do not trip the rope again."""
    check(strategy, A.RESUME)
    stages = tuple(replace(stage, accepted_failures=stage.counts.failed) for stage in strategy.stages)
    why = Why(code="applying", message=_by(f"resumed by {by or 'an operator'}", reason))
    return _to(replace(strategy, stages=stages), S.APPLYING, why)


def abort(strategy: Strategy, by: str, reason: str) -> Strategy:
    """Running sites finish, waiting ones are aborted. What was not started yet ends at once."""
    check(strategy, A.ABORT)
    why = Why(code="aborted", message=_by(f"aborted by {by or 'an operator'}", reason))
    if strategy.state is S.READY:
        return _to(strategy, S.ABORTED, why)
    return replace(_to(strategy, S.ABORTING, why), ends_as=S.ABORTED)


def retry(strategy: Strategy, by: str, reason: str) -> Strategy:
    """Try failed and aborted sites again: they wait, and the stages that have such sites open anew."""
    check(strategy, A.RETRY)
    stages = tuple(_reopened(stage) for stage in strategy.stages)
    message = _by(f"failed and aborted sites are tried again by {by or 'an operator'}", reason)
    why = Why(code="applying", message=message)
    return _to(replace(strategy, stages=stages, skipped=0), S.APPLYING, why)


def stop(strategy: Strategy, why: Why) -> Strategy:
    """Go no further, for a reason that nobody can mend: running sites finish, then it has failed."""
    if strategy.state is S.NEEDS_INSPECTION:
        return replace(strategy, ends_as=strategy.ends_as or S.FAILED)
    if strategy.state not in {S.APPLYING, S.PAUSED}:
        return strategy
    return replace(_to(strategy, S.ABORTING, why), ends_as=S.FAILED)


def inspect(strategy: Strategy, differs: str) -> Strategy:
    """Do nothing more before a person has seen what differs: its steps go on to their ends, its counts stand still."""
    why = Why(code=COUNTS_DIFFER, message=f"its counts do not fit its steps: {differs}; have it recounted")
    if strategy.state not in LIVE or strategy.state is S.NEEDS_INSPECTION:
        return replace(strategy, why=why)
    return _to(strategy, S.NEEDS_INSPECTION, why)


def recount(strategy: Strategy, counted: Mapping[int, StageCount], by: str, reason: str) -> Strategy:
    """The counts of each stage are those of its steps again; then a person may let it go on."""
    check(strategy, A.RECOUNT)
    stages = tuple(_recounted(stage, counted.get(stage.position, StageCount())) for stage in strategy.stages)
    if wrong := [text for was, now in zip(strategy.stages, stages, strict=True) if (text := misfit(was, now))]:
        message = f"cannot recount strategy {strategy.name}: {'; '.join(wrong)}; wait for its running sites to end"
        raise Refused(Fault(code=COUNTS_DIFFER, field="strategy", message=message, value=strategy.name))
    why = Why(code="recounted", message=_by(f"recounted by {by or 'an operator'}", reason))
    return _to(replace(strategy, stages=stages), S.ABORTING if strategy.ends_as else S.PAUSED, why)


def _recounted(stage: Stage, counted: StageCount) -> Stage:
    reopens = stage.state in STAGE_ENDED and (counted.counts.waiting or counted.counts.running)
    state = G.WAITING if reopens else stage.state
    return replace(stage, counts=counted.counts, blocked=counted.blocked, state=state)


def misfit(was: Stage, stage: Stage) -> str:
    """What cannot be in the counts of a stage, in words; empty for what can."""
    counts = stage.counts
    if counts.total != was.counts.total:
        return f"stage {stage.name} had {was.counts.total} sites and has {counts.total}"
    if negative := [name for name in Counts.model_fields if getattr(counts, name) < 0]:
        return f"stage {stage.name} has {getattr(counts, negative[0])} {negative[0]} sites"
    if not 0 <= stage.blocked <= counts.waiting:
        return f"stage {stage.name} has {stage.blocked} busy sites among {counts.waiting} that wait"
    if counts.running > stage.max_parallel:
        return f"stage {stage.name} has {counts.running} running sites, and {stage.max_parallel} may run"
    return ""


def heed_monitor(strategy: Strategy, position: int) -> Strategy:
    """Pause on the monitor's advice, if the strategy wants that and its own rows say the same."""
    stage = strategy.stages[position]
    wanted = strategy.policy.heed_monitor and strategy.state is S.APPLYING and stage.state is G.RUNNING
    if not wanted or stage.counts.failed - stage.accepted_failures < max(strategy.policy.min_sample, 1):
        return strategy
    return _to(strategy, S.PAUSED, Why(code=FAILURE_RATE, message=rate(stage.name, stage.counts)))


# -- what follows -------------------------------------------------------------------------------------------------


def advance(strategy: Strategy, now: datetime) -> Decision:
    """All that follows from how a strategy stands: slots to fill, stages to open or close, its end.

    Invariant: with the moves done, no stage runs more than its max_parallel, no stage runs before all earlier ones
    are complete, and a strategy without running sites either waits for a person or a soak timer, or has ended.
    """
    if strategy.state is S.APPLYING and (stage := _tripped(strategy)):
        strategy = _trip(strategy, stage)
    if strategy.state is S.ABORTING:
        return _drain(strategy)
    if strategy.state is S.APPLYING:
        return _run(strategy, now)
    if strategy.state is S.ABORTED and strategy.counts.waiting:
        stages = tuple(_drained(stage) for stage in strategy.stages)  # aborted before it was started
        return Decision(replace(strategy, stages=stages), abort_waiting=True)
    return Decision(strategy)


def _tripped(strategy: Strategy) -> Stage | None:
    return next((s for s in strategy.stages if trips(strategy.policy, s.counts, s.accepted_failures)), None)


def _trip(strategy: Strategy, stage: Stage) -> Strategy:
    why = Why(code=FAILURE_THRESHOLD, message=failures_told(strategy.policy, stage.name, stage.counts))
    if strategy.policy.then == "pause":
        return _to(strategy, S.PAUSED, why)
    return replace(_to(strategy, S.ABORTING, why), ends_as=S.FAILED)


def _drain(strategy: Strategy) -> Decision:
    """Abort what waits; the end comes when nothing runs any more."""
    had_waiting = strategy.counts.waiting > 0
    stages = tuple(_drained(stage) for stage in strategy.stages)
    strategy = replace(strategy, stages=stages)
    if strategy.counts.running == 0:
        ends_as = strategy.ends_as or S.ABORTED
        strategy = replace(_to(strategy, ends_as, strategy.why), ends_as=None)
    return Decision(strategy, abort_waiting=had_waiting)


def _drained(stage: Stage) -> Stage:
    counts = stage.counts
    counts = counts.model_copy(update={"waiting": 0, "aborted": counts.aborted + counts.waiting})
    state = stage.state
    if counts.running == 0 and state is not G.COMPLETE:
        state = G.FAILED if counts.failed else G.ABORTED
    return replace(stage, counts=counts, state=state, blocked=0)


def _run(strategy: Strategy, now: datetime) -> Decision:
    """Close every stage that is done, then fill the slots of the first that is not."""
    stages = list(strategy.stages)
    for index, stage in enumerate(stages):
        moved = _stage_moves(stage, now)
        stages[index] = moved
        if moved.state is G.COMPLETE:
            continue
        strategy = replace(strategy, stages=tuple(stages))
        if moved.state is G.SOAKING:
            return Decision(strategy, soak_until=moved.soak_until)
        return _fill(strategy, index)
    return Decision(_end(replace(strategy, stages=tuple(stages))))


def _stage_moves(stage: Stage, now: datetime) -> Stage:
    if stage.state is G.COMPLETE:
        return stage
    if stage.counts.waiting or stage.counts.running:
        return replace(stage, state=G.RUNNING)
    if stage.soak_seconds and stage.soak_until is None:
        return replace(stage, state=G.SOAKING, soak_until=now + timedelta(seconds=stage.soak_seconds))
    if stage.soak_until and now < stage.soak_until:
        return replace(stage, state=G.SOAKING)
    return replace(stage, state=G.COMPLETE)


def _fill(strategy: Strategy, index: int) -> Decision:
    """A sliding pool: as many starts as there are free slots, at once. The counts move when sites really start."""
    stage = strategy.stages[index]
    startable = stage.counts.waiting - stage.blocked
    free = stage.max_parallel - stage.counts.running
    return Decision(strategy, start=max(min(startable, free), 0), stage=index)


def _end(strategy: Strategy) -> Strategy:
    """Complete says how many sites that is of all that were selected: nobody should take a part for the whole."""
    counts, out = strategy.counts, strategy.left_out + strategy.skipped
    aborted = counts.aborted - strategy.skipped
    rest = f"; {out} left out" if out else ""
    if counts.failed or aborted:
        message = f"{counts.failed} of {counts.total} sites failed, {aborted} were aborted{rest}"
        return _to(strategy, S.FAILED, Why(code="sites_failed", message=message))
    selected = counts.total + strategy.left_out
    message = f"{counts.complete} of {selected} sites are done{rest}" if out else f"all {selected} sites are done"
    return _to(strategy, S.COMPLETE, Why(code="complete", message=message))


# -- small parts --------------------------------------------------------------------------------------------------


def moved(counts: Counts, **deltas: int) -> Counts:
    """Counts after some sites changed state: moved(counts, running=-2, complete=2)."""
    return counts.model_copy(update={name: getattr(counts, name) + delta for name, delta in deltas.items()})


def slots(max_parallel: int | str, apply_type: str, sites: int) -> int:
    """How many sites of a stage may run at the same instant."""
    return 1 if apply_type == "serial" else min(resolve(max_parallel, sites), max(sites, 1))


def _to(strategy: Strategy, state: StrategyState, why: Why) -> Strategy:
    """The only way to another state."""
    if state not in TRANSITIONS[strategy.state]:
        raise ValueError(f"no transition from {strategy.state} to {state}")
    return replace(strategy, state=state, why=why)


def _reopened(stage: Stage) -> Stage:
    again = stage.counts.failed + stage.counts.aborted
    if not again:
        return stage
    counts = moved(stage.counts, waiting=again, failed=-stage.counts.failed, aborted=-stage.counts.aborted)
    return replace(stage, counts=counts, state=G.WAITING, soak_until=None, accepted_failures=0, blocked=0)


def _wrong_state(strategy: Strategy, action: StrategyAction) -> Fault:
    *most, last = (state for state, actions in ACTIONS.items() if action in actions)
    right = f"{', '.join(most)} or {last}" if most else last
    message = f"cannot {action} strategy {strategy.name}: it is {strategy.state}, and would have to be {right}"
    return Fault(code="wrong_state", field="strategy", message=message, value=strategy.state)


def _by(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else text
