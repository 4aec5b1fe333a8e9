"""A strategy and its stages: pure values, what may follow each state, and what people may ask for.

What follows by itself decides `rollout/advance.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.strategy_orchestrator.rollout.policy import FAILURE_RATE, rate
from shared.messages.base import Fault
from shared.messages.strategy import Counts, FailurePolicy, Why
from shared.messages.words import StageState, StrategyAction, StrategyState, resolve

S, G, A = StrategyState, StageState, StrategyAction

TRANSITIONS: dict[StrategyState, frozenset[StrategyState]] = {
    S.WAITING: frozenset({S.READY, S.FAILED, S.ABORTED}),
    S.READY: frozenset({S.APPLYING, S.FAILED, S.ABORTED}),
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
    S.WAITING: (A.APPLY, A.ABORT, A.DELETE),
    S.READY: (A.APPLY, A.SKIP, A.ABORT, A.DELETE),
    S.APPLYING: (A.PAUSE, A.SKIP, A.RETRY, A.ABORT, A.CANCEL_RUNNING),
    S.PAUSED: (A.RESUME, A.SKIP, A.RETRY, A.ABORT, A.CANCEL_RUNNING, A.UNDO),
    S.ABORTING: (A.CANCEL_RUNNING,),
    S.NEEDS_INSPECTION: (A.RECOUNT, A.CANCEL_RUNNING),
    S.COMPLETE: (A.UNDO, A.DELETE),
    S.FAILED: (A.RETRY, A.UNDO, A.DELETE),
    S.ABORTED: (A.RETRY, A.UNDO, A.DELETE),
}
"""What people may do in each state. It decides their commands, and is what they are shown; see `actions_of`."""

STAGE_TRANSITIONS: dict[StageState, frozenset[StageState]] = {
    G.WAITING: frozenset({G.RUNNING, G.SOAKING, G.COMPLETE, G.FAILED, G.ABORTED}),
    G.RUNNING: frozenset({G.SOAKING, G.COMPLETE, G.FAILED, G.ABORTED}),
    G.SOAKING: frozenset({G.WAITING, G.COMPLETE, G.FAILED, G.ABORTED}),
    G.COMPLETE: frozenset({G.WAITING}),
    G.FAILED: frozenset({G.WAITING}),
    G.ABORTED: frozenset({G.WAITING}),
}
"""What may follow each state of a stage. What has ended, or soaks, waits again only by a retry or a recount."""

ENDED = frozenset({S.COMPLETE, S.FAILED, S.ABORTED})
LIVE = frozenset({S.APPLYING, S.PAUSED, S.ABORTING, S.NEEDS_INSPECTION})
"""The states in which a strategy holds its sites."""

NOT_BEGUN = frozenset({S.WAITING, S.READY})
"""The states of what was never started."""

AWAITS_PUBLICATION = "publication"
"""The reason of a strategy that waits for its release."""

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
    why: Why | None = None
    """Why it is not further, as `advance` found last; None = it has ended."""
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
    """Aborted sites that were removed, or that a person skipped: they do not make it fail."""
    no_way_back: str = ""
    """Why a strategy of its type cannot be undone; empty = it can."""
    round: int = 1
    """How often its sites were tried: one more with each retry."""
    catch_up_until: datetime | None = None
    """Once it has ended: sites that were offline are tried again until then."""
    catch_up_sites: int = 0
    """So many of them."""
    publication: str | None = None
    """The command that publishes the release to reach; as long as it waits there is no plan, and no stage."""
    begins: str = ""
    """It waits, and begins as soon as its release is there: by whose word. Empty = nobody has applied it yet."""

    @property
    def counts(self) -> Counts:
        """All stages together."""
        return total_of(stage.counts for stage in self.stages)


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
    if not counts.waiting:
        pointless.add(A.SKIP)
    if strategy.begins:
        pointless.add(A.APPLY)
    if not strategy.stages:
        pointless.add(A.RETRY)
    if strategy.state in LIVE and not counts.failed + counts.aborted:
        pointless.add(A.RETRY)
    if strategy.no_way_back or counts.running or not counts.complete + counts.failed:
        pointless.add(A.UNDO)  # sites still running would be missed by the way back
    return tuple(action for action in ACTIONS[strategy.state] if action not in pointless)


def check(strategy: Strategy, action: StrategyAction) -> None:
    """Raises Refused for what its state does not let people do."""
    if action not in ACTIONS[strategy.state]:
        raise Refused(_wrong_state(strategy, action))


def apply(strategy: Strategy, by: str, reason: str) -> Strategy:
    """Start a strategy that is ready; one that waits for its release begins as soon as that is there."""
    check(strategy, A.APPLY)
    started = _by(f"started by {by or 'an operator'}", reason)
    if strategy.state is S.READY:
        return to_state(strategy, S.APPLYING, Why(code="applying", message=started))
    if strategy.begins:
        message = f"strategy {strategy.name} is applied already: it {strategy.why.message}"
        raise Refused(Fault(code="wrong_state", field="strategy", message=message, value=strategy.state))
    return replace(strategy, begins=started, why=awaits(strategy.publication or "", begins=True))


def awaits(publication: str, *, begins: bool) -> Why:
    """The reason of a strategy whose release is being published."""
    after = "begins then" if begins else "is planned then"
    return Why(code=AWAITS_PUBLICATION, message=f"waits for publication {publication}, and {after}")


def begin(strategy: Strategy, started: str) -> Strategy:
    """One that was applied while it waited is planned now, and starts by that word."""
    return to_state(strategy, S.APPLYING, Why(code="applying", message=started))


def fail(strategy: Strategy, why: Why) -> Strategy:
    """The end of what waited for its release, and cannot begin. Its steps, if it has any, are aborted."""
    return replace(to_state(strategy, S.FAILED, why), begins="")


def pause(strategy: Strategy, by: str, reason: str) -> Strategy:
    """Start no further site."""
    check(strategy, A.PAUSE)
    return to_state(strategy, S.PAUSED, Why(code="paused", message=_by(f"paused by {by or 'an operator'}", reason)))


def resume(strategy: Strategy, by: str, reason: str) -> Strategy:
    """Go on; the failures seen so far are accepted and do not trip the policy again."""
    check(strategy, A.RESUME)
    stages = tuple(replace(stage, accepted_failures=stage.counts.failed) for stage in strategy.stages)
    why = Why(code="applying", message=_by(f"resumed by {by or 'an operator'}", reason))
    return to_state(replace(strategy, stages=stages), S.APPLYING, why)


def abort(strategy: Strategy, by: str, reason: str) -> Strategy:
    """Running sites finish, waiting ones are aborted. What was not started yet ends at once."""
    check(strategy, A.ABORT)
    why = Why(code="aborted", message=_by(f"aborted by {by or 'an operator'}", reason))
    if strategy.state in NOT_BEGUN:
        return replace(to_state(strategy, S.ABORTED, why), begins="")
    return replace(to_state(strategy, S.ABORTING, why), ends_as=S.ABORTED)


@dataclass(frozen=True, slots=True)
class Reopened:
    """Steps of a stage that wait again: how many had failed, and were aborted, and of these skipped."""

    failed: int = 0
    aborted: int = 0
    skipped: int = 0


def retry(strategy: Strategy, reopened: Mapping[int, Reopened], by: str, reason: str) -> Strategy:
    """Try failed and aborted sites again, by stage: they wait, and the stages that have such sites open anew.

    One that runs or is paused stays so, with its other stages as they are.
    """
    check(strategy, A.RETRY)
    if not strategy.stages:
        message = f"strategy {strategy.name} was never planned, for it had no release to reach: create another one"
        raise Refused(Fault(code="nothing_to_do", field="strategy", message=message, value=strategy.name))
    if strategy.state in LIVE:
        return _meanwhile(strategy, reopened)
    message = _by(f"failed and aborted sites are tried again by {by or 'an operator'}", reason)
    return _again(strategy, reopened, Why(code="applying", message=message))


def _meanwhile(strategy: Strategy, reopened: Mapping[int, Reopened]) -> Strategy:
    if not reopened:
        message = f"nothing of strategy {strategy.name} failed or was aborted; what a person skipped is tried by name"
        raise Refused(Fault(code="nothing_to_do", field="strategy", message=message, value=strategy.name))
    stages = tuple(
        _waiting_again(stage, again) if (again := reopened.get(stage.position)) else stage for stage in strategy.stages
    )
    skipped = strategy.skipped - sum(again.skipped for again in reopened.values())
    return replace(strategy, stages=stages, skipped=skipped, round=strategy.round + 1)


def _waiting_again(stage: Stage, again: Reopened) -> Stage:
    """Failures that were accepted are so no more once they are tried again: a new one counts."""
    count, accepted = again.failed + again.aborted, max(stage.accepted_failures - again.failed, 0)
    counts = moved(stage.counts, waiting=count, failed=-again.failed, aborted=-again.aborted)
    opened = stage if stage.state is G.RUNNING else stage_to(stage, G.WAITING)
    return replace(opened, counts=counts, soak_until=None, accepted_failures=accepted)


def catch_up(strategy: Strategy, reopened: Mapping[int, Reopened]) -> Strategy:
    """Try sites that were offline and are back, by stage. The time for it goes on."""
    count = sum(stage.failed + stage.aborted for stage in reopened.values())
    message = f"tries again what was offline and is back: {count} site{'' if count == 1 else 's'}"
    return _again(strategy, reopened, Why(code="catching_up", message=message))


def _again(strategy: Strategy, reopened: Mapping[int, Reopened], why: Why) -> Strategy:
    stages = tuple(_reopened(stage, reopened.get(stage.position, Reopened())) for stage in strategy.stages)
    skipped = strategy.skipped - sum(stage.skipped for stage in reopened.values())
    again = replace(strategy, stages=stages, skipped=skipped, round=strategy.round + 1, catch_up_sites=0)
    return to_state(again, S.APPLYING, why)


def stop(strategy: Strategy, why: Why) -> Strategy:
    """Go no further, for a reason that nobody can mend: running sites finish, then it has failed."""
    if strategy.state is S.NEEDS_INSPECTION:
        return replace(strategy, ends_as=strategy.ends_as or S.FAILED)
    if strategy.state not in {S.APPLYING, S.PAUSED}:
        return strategy
    return replace(to_state(strategy, S.ABORTING, why), ends_as=S.FAILED)


def inspect(strategy: Strategy, differs: str) -> Strategy:
    """Do nothing more before a person has seen what differs: its steps go on to their ends, its counts stand still."""
    why = Why(code=COUNTS_DIFFER, message=f"its counts do not fit its steps: {differs}; have it recounted")
    if strategy.state not in LIVE or strategy.state is S.NEEDS_INSPECTION:
        return replace(strategy, why=why)
    return to_state(strategy, S.NEEDS_INSPECTION, why)


def recount(strategy: Strategy, counted: Mapping[int, StageCount], by: str, reason: str) -> Strategy:
    """The counts of each stage are those of its steps again; then a person may let it go on."""
    check(strategy, A.RECOUNT)
    stages = tuple(_recounted(stage, counted.get(stage.position, StageCount())) for stage in strategy.stages)
    if wrong := [text for was, now in zip(strategy.stages, stages, strict=True) if (text := misfit(was, now))]:
        message = f"cannot recount strategy {strategy.name}: {'; '.join(wrong)}; wait for its running sites to end"
        raise Refused(Fault(code=COUNTS_DIFFER, field="strategy", message=message, value=strategy.name))
    why = Why(code="recounted", message=_by(f"recounted by {by or 'an operator'}", reason))
    return to_state(replace(strategy, stages=stages), S.ABORTING if strategy.ends_as else S.PAUSED, why)


def _recounted(stage: Stage, counted: StageCount) -> Stage:
    reopens = stage.state is not G.RUNNING and (counted.counts.waiting or counted.counts.running)
    stage = stage_to(stage, G.WAITING) if reopens else stage
    return replace(stage, counts=counted.counts, blocked=counted.blocked)


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
    return to_state(strategy, S.PAUSED, Why(code=FAILURE_RATE, message=rate(stage.name, stage.counts)))


# -- small parts --------------------------------------------------------------------------------------------------


def moved(counts: Counts, **deltas: int) -> Counts:
    """Counts after some sites changed state: moved(counts, running=-2, complete=2)."""
    return counts.model_copy(update={name: getattr(counts, name) + delta for name, delta in deltas.items()})


def slots(max_parallel: int | str, apply_type: str, sites: int) -> int:
    """How many sites of a stage may run at the same instant."""
    return 1 if apply_type == "serial" else min(resolve(max_parallel, sites), max(sites, 1))


def to_state(strategy: Strategy, state: StrategyState, why: Why) -> Strategy:
    """The only way to another state."""
    if state not in TRANSITIONS[strategy.state]:
        raise ValueError(f"no transition from {strategy.state} to {state}")
    return replace(strategy, state=state, why=why)


def stage_to(stage: Stage, state: StageState) -> Stage:
    """The only way of a stage to another state; to its own it stays as it is."""
    if state is stage.state:
        return stage
    if state not in STAGE_TRANSITIONS[stage.state]:
        raise ValueError(f"no transition of a stage from {stage.state} to {state}")
    return replace(stage, state=state)


def _reopened(stage: Stage, again: Reopened) -> Stage:
    """A stage that was cut short goes on where it was, be it that none of its sites is tried again.

    Failures that stay are accepted: who asks for some sites means to leave the others as they are.
    """
    if not again.failed + again.aborted:
        opened = stage if stage.state is G.COMPLETE else stage_to(stage, G.WAITING)
        return replace(opened, accepted_failures=stage.counts.failed)
    count = again.failed + again.aborted
    counts = moved(stage.counts, waiting=count, failed=-again.failed, aborted=-again.aborted)
    opened = stage_to(stage, G.WAITING)
    return replace(opened, counts=counts, soak_until=None, accepted_failures=counts.failed, blocked=0)


def _wrong_state(strategy: Strategy, action: StrategyAction) -> Fault:
    *most, last = (state for state, actions in ACTIONS.items() if action in actions)
    right = f"{', '.join(most)} or {last}" if most else last
    message = f"cannot {action} strategy {strategy.name}: it is {strategy.state}, and would have to be {right}"
    return Fault(code="wrong_state", field="strategy", message=message, value=strategy.state)


def _by(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason else text
