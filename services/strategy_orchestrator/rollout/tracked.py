"""A strategy during a transaction: as it was loaded, as it is now, and what moved."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from services.strategy_orchestrator import domain
from services.strategy_orchestrator.domain import Strategy
from services.strategy_orchestrator.rollout.events import change_of
from services.strategy_orchestrator.store.steps import Step
from services.strategy_orchestrator.store.strategies import SavedStrategy, StoredStrategy
from shared.core.transaction import Transaction
from shared.messages.base import Event
from shared.messages.strategy import StepChange
from shared.messages.words import StrategyState
from shared.wire.codec import Envelope

SILENT = "strategy_silent"
"""The warning that a stage fell silent; it holds until the stage moves."""


@dataclass(slots=True)
class TrackedStrategy:
    """A strategy during a transaction. Handlers change `now`, and note the steps that moved."""

    stored: StoredStrategy
    now: Strategy
    cursors: list[int]
    sequence: int
    groups: list[str]
    """Of its sites, where any has one: its steps need slots there."""
    deleted_at: datetime | None
    steps: list[StepChange] = field(default_factory=list)
    batches: int = 0
    """How often steps were started in this transaction."""

    @staticmethod
    def of(stored: StoredStrategy) -> "TrackedStrategy":
        """As it was loaded."""
        return TrackedStrategy(
            stored=stored,
            now=stored.strategy,
            cursors=list(stored.cursors),
            sequence=stored.sequence,
            groups=list(stored.groups),
            deleted_at=stored.deleted_at,
        )

    @property
    def was(self) -> Strategy:
        """The strategy as it was loaded."""
        return self.stored.strategy

    @property
    def changed(self) -> bool:
        """Whether there is anything to keep or to tell."""
        return self.now != self.was or bool(self.steps) or self.sequence != self.stored.sequence

    @property
    def stands_still(self) -> bool:
        """Whether its counts are those of its row, whatever its steps do, until they are recounted."""
        return self.now.state is StrategyState.NEEDS_INSPECTION

    @property
    def catch_up_seconds(self) -> timedelta:
        """So long after its end sites that were offline are tried again."""
        return timedelta(seconds=self.stored.spec.get("catch_up_seconds", 0))

    @property
    def timeout(self) -> timedelta | None:
        """It aborts when it has not ended so long after its start; None = it may take any time."""
        seconds = self.stored.spec.get("timeout_seconds")
        return None if seconds is None else timedelta(seconds=seconds)

    def misfits(self) -> list[str]:
        """What cannot be in the counts as they are now, in words."""
        if self.stands_still or self.now.stages is self.was.stages:
            return []
        both = zip(self.was.stages, self.now.stages, strict=True)
        return [text for was, now in both if now is not was and (text := domain.misfit(was, now))]

    def copy(self) -> "TrackedStrategy":
        """As it is now, to come back to."""
        return replace(self, cursors=list(self.cursors), groups=list(self.groups), steps=list(self.steps))

    def restore(self, before: "TrackedStrategy") -> None:
        """Be as `before` again: what was done since was refused."""
        self.now, self.cursors, self.sequence, self.groups = before.now, before.cursors, before.sequence, before.groups
        self.steps, self.batches, self.deleted_at = before.steps, before.batches, before.deleted_at

    def emit(self, tx: Transaction, event: Event, cause: Envelope[Any] | None = None) -> None:
        """Send an event of this strategy with its next sequence number."""
        self.sequence += 1
        tx.emit(event, sequence=self.sequence, cause=cause, correlation_id=self.now.id)

    def note(self, steps: Iterable[Step]) -> None:
        """Steps as they are now, for the events of this transaction."""
        self.steps.extend(map(change_of, steps))

    def note_of(self, stage: int, **facts: Any) -> None:
        """Something else is known of a stage: oldest, warning, moved_at."""
        stages = list(self.now.stages)
        stages[stage] = replace(stages[stage], **facts)
        self.now = replace(self.now, stages=tuple(stages))

    def touch(self, now: datetime) -> bool:
        """What was said of a stage that stood still holds no longer where its counts moved; whether that is new."""
        before = self.now
        for was, stage in zip(self.was.stages, self.now.stages, strict=True):
            if stage.counts != was.counts:
                ended = stage.counts.running == stage.counts.waiting == 0
                silent = stage.warning is not None and stage.warning.code == SILENT
                warning = None if ended or silent else stage.warning
                if (stage.moved_at, stage.oldest, stage.warning) != (now, "", warning):
                    self.note_of(stage.position, moved_at=now, oldest="", warning=warning)
        return self.now is not before

    def recount(self, stage: int, **deltas: int) -> None:
        """Some sites of a stage changed state; `blocked` counts beside the states."""
        stages = list(self.now.stages)
        blocked = stages[stage].blocked + deltas.pop("blocked", 0)
        counts = domain.moved(stages[stage].counts, **deltas)
        stages[stage] = replace(stages[stage], counts=counts, blocked=blocked)
        self.now = replace(self.now, stages=tuple(stages))

    def aborted(self, steps: Sequence[Step]) -> None:
        """Some steps that waited do no longer: they were aborted."""
        self.note(steps)
        for stage, count in Counter(step.stage for step in steps).items():
            self.recount(stage, waiting=-count, aborted=count)

    def reopen(self, step: Step) -> None:
        """A step may start: the next look for waiting steps begins no later than at it."""
        self.cursors[step.stage] = min(self.cursors[step.stage], step.position)

    def saved(self, now: datetime) -> SavedStrategy:
        """What is kept of it at the end of the transaction."""
        ended, live = self.now.state in domain.ENDED, self.now.state in domain.LIVE
        had_ended = self.was.state in domain.ENDED
        started, finished = self.stored.started_at, self.stored.finished_at
        why = self.now.why
        return SavedStrategy(
            id=self.now.id,
            state=self.now.state,
            ends_as=self.now.ends_as,
            why_code=why.code,
            why_message=why.message,
            sequence=self.sequence,
            started_at=started or (now if live else None),
            finished_at=((finished if had_ended else None) or now) if ended else None,
            skipped=self.now.skipped,
            round=self.now.round,
            catch_up_until=self.now.catch_up_until,
            catch_up_sites=self.now.catch_up_sites,
            begins=self.now.begins,
        )
