"""What follows from how a strategy stands: one function `advance` that decides all of it. Pure.

Whoever loads the rows asks it what follows from them, does exactly that, and may be interrupted anywhere: asked again,
the same rows give the same answer. It asks the gates for each stage, so a reason is found here and nowhere else.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.strategy_orchestrator.domain import ENDED, Stage, Strategy, stage_to, to_state
from services.strategy_orchestrator.gates import Closed, Open, Surroundings, ask
from services.strategy_orchestrator.rollout.policy import FAILURE_THRESHOLD, failures_told, trips
from services.strategy_orchestrator.rollout.reasons import SITES_FAILED, why_finishing, why_still
from shared.messages.strategy import Why
from shared.messages.words import StageState, StrategyState

S, G = StrategyState, StageState

STAGE_UNTRIED = "stage_untried"
"""The reason of a strategy that paused behind a stage of which no site was tried."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from the rows: the strategy as it should be, each stage with its one reason, and what to do."""

    strategy: Strategy
    stage: int | None = None
    """The stage whose turn it is."""
    start: int = 0
    """How many of its waiting sites get a slot now."""
    closed: Closed | None = None
    """What keeps it from starting more."""
    look_again_at: datetime | None = None
    """The earliest time at which a gate may be otherwise by itself."""
    abort_waiting: bool = False
    """Every waiting step becomes aborted."""

    @property
    def let_go(self) -> bool:
        """Whether the strategy releases its sites."""
        return self.strategy.state in ENDED


def advance(strategy: Strategy, surroundings: Surroundings, now: datetime) -> Decision:
    """All that follows from how a strategy stands: slots to fill, stages to open or close, its end.

    Invariant: with what it says done, no stage runs more than its max_parallel, no stage runs before all earlier ones
    are complete, and a strategy without running sites either waits for what its reason says, or has ended.
    """
    if strategy.state is S.APPLYING and (stage := _tripped(strategy)):
        strategy = _trip(strategy, stage)
    had_waiting = any(stage.counts.waiting for stage in strategy.stages)
    strategy = _moved_on(strategy, now)
    ended = strategy.state in {S.ABORTING, S.ABORTED, S.FAILED}
    return replace(explained(strategy, surroundings, now), abort_waiting=ended and had_waiting)


def explained(strategy: Strategy, surroundings: Surroundings, now: datetime) -> Decision:
    """A strategy as it stands, with the reason of each stage, and how many sites all gates let start."""
    around = Surroundings.of(strategy, surroundings.groups, surroundings.queues)
    answers = [ask(stage, around, now) if _asks(stage) else None for stage in strategy.stages]
    stages = tuple(_explained(strategy, stage, answer) for stage, answer in zip(strategy.stages, answers, strict=True))
    times = [a.look_again_at for a in answers if isinstance(a, Closed) and a.look_again_at]
    current = around.current.position if around.current else None
    answer = answers[current] if current is not None else None
    return Decision(
        replace(strategy, stages=stages),
        stage=current,
        start=(answer.at_most or 0) if isinstance(answer, Open) else 0,
        closed=answer if isinstance(answer, Closed) else None,
        look_again_at=min(times, default=None),
    )


def _asks(stage: Stage) -> bool:
    return stage.counts.waiting > 0 or stage.state is G.SOAKING


def _explained(strategy: Strategy, stage: Stage, answer: Open | Closed | None) -> Stage:
    why = why_still(strategy, stage) or why_finishing(stage)
    if why is None and isinstance(answer, Closed):
        why = stage.why if _says(stage.why, answer) else answer.why
    return stage if why is stage.why or why == stage.why else replace(stage, why=why)


def _says(why: Why | None, closed: Closed) -> bool:
    """Whether a stage has this reason already; the reasons of hundreds of stages are looked at in each transaction."""
    return why is not None and why.code == closed.code and why.message == closed.message


def _tripped(strategy: Strategy) -> Stage | None:
    return next((s for s in strategy.stages if trips(strategy.policy, s.counts, s.accepted_failures)), None)


def _trip(strategy: Strategy, stage: Stage) -> Strategy:
    why = Why(code=FAILURE_THRESHOLD, message=failures_told(strategy.policy, stage.name, stage.counts))
    if strategy.policy.then == "pause":
        return to_state(strategy, S.PAUSED, why)
    return replace(to_state(strategy, S.ABORTING, why), ends_as=S.FAILED)


def _moved_on(strategy: Strategy, now: datetime) -> Strategy:
    if strategy.state is S.ABORTING:
        return _drain(strategy)
    if strategy.state is S.APPLYING:
        return _run(strategy, now)
    if strategy.state in {S.ABORTED, S.FAILED} and strategy.counts.waiting:  # it ended before it was started
        return replace(strategy, stages=tuple(_drained(stage) for stage in strategy.stages))
    return strategy


def _drain(strategy: Strategy) -> Strategy:
    """Abort what waits; the end comes when nothing runs any more."""
    stages = tuple(_drained(stage) for stage in strategy.stages)
    strategy = replace(strategy, stages=stages)
    if strategy.counts.running == 0:
        ends_as = strategy.ends_as or S.ABORTED
        strategy = replace(to_state(strategy, ends_as, strategy.why), ends_as=None)
    return strategy


def _drained(stage: Stage) -> Stage:
    counts = stage.counts
    counts = counts.model_copy(update={"waiting": 0, "aborted": counts.aborted + counts.waiting})
    if counts.running == 0 and stage.state not in {G.COMPLETE, G.FAILED, G.ABORTED}:
        stage = stage_to(stage, G.FAILED if counts.failed else G.ABORTED)
    return replace(stage, counts=counts, blocked=0)


def _run(strategy: Strategy, now: datetime) -> Strategy:
    """Close every stage that is done, and open the first that is not."""
    stages = list(strategy.stages)
    for index, stage in enumerate(stages):
        stages[index] = _stage_moved_on(stage, now)
        if stages[index].state is not G.COMPLETE:
            return replace(strategy, stages=tuple(stages))
        if stage.state is not G.COMPLETE and _proves_nothing(strategy, index):
            return to_state(replace(strategy, stages=tuple(stages)), S.PAUSED, _untried(stage))
    return _end(replace(strategy, stages=tuple(stages)))


def _proves_nothing(strategy: Strategy, index: int) -> bool:
    """Whether no site of a stage was tried, for each went away, and others are to follow: a canary that never sang.

    Whatever people skipped or removed is their decision.
    """
    counts, left = strategy.stages[index].counts, strategy.counts.aborted - strategy.skipped
    follow = any(stage.counts.waiting for stage in strategy.stages[index + 1 :])
    return counts.finished == 0 and min(counts.aborted, left) > 0 and follow


def _untried(stage: Stage) -> Why:
    message = (
        f"stage {stage.name}: none of its {stage.counts.total} sites was tried, all were aborted; resume accepts it"
    )
    return Why(code=STAGE_UNTRIED, message=message)


def _stage_moved_on(stage: Stage, now: datetime) -> Stage:
    if stage.state is G.COMPLETE:
        return stage
    if stage.counts.waiting or stage.counts.running:
        return stage_to(stage, G.RUNNING)
    if stage.soak_seconds and stage.soak_until is None and stage.counts.finished:
        return replace(stage_to(stage, G.SOAKING), soak_until=now + timedelta(seconds=stage.soak_seconds))
    if stage.soak_until and now < stage.soak_until:
        return stage_to(stage, G.SOAKING)
    return stage_to(stage, G.COMPLETE)


def _end(strategy: Strategy) -> Strategy:
    """Complete says how many sites that is of all that were selected: nobody should take a part for the whole."""
    counts, out = strategy.counts, strategy.left_out + strategy.skipped
    aborted = counts.aborted - strategy.skipped
    rest = f"; {out} left out" if out else ""
    if counts.failed or aborted:
        message = f"{counts.failed} of {counts.total} sites failed, {aborted} were aborted{rest}"
        return to_state(strategy, S.FAILED, Why(code=SITES_FAILED, message=message))
    selected = counts.total + strategy.left_out
    message = f"{counts.complete} of {selected} sites are done{rest}" if out else f"all {selected} sites are done"
    return to_state(strategy, S.COMPLETE, Why(code="complete", message=message))
