"""One transaction of the orchestrator: loads strategies under their locks, does what the domain decides, saves, tells.

Handlers load strategies through it, change them by domain functions, and report steps that moved. `finish` is called
once, when all handlers have run: it does all that follows, and writes and tells each kind of change once, whatever the
number of messages that spoke of a strategy.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.domain import Refused
from services.strategy_orchestrator.fleet.changes import emit_fleet
from services.strategy_orchestrator.fleet.group_slots import GroupSlots
from services.strategy_orchestrator.gates.group_limit import GROUP_LIMIT
from services.strategy_orchestrator.message_parts import parts_of_steps
from services.strategy_orchestrator.rollout.advance import Decision, advance, explained
from services.strategy_orchestrator.rollout.events import request_of, what_moved
from services.strategy_orchestrator.rollout.inspection import Inspections
from services.strategy_orchestrator.rollout.offline_steps import note_offline
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from services.strategy_orchestrator.settings import OrchestratorSettings
from services.strategy_orchestrator.store.steps import Step
from shared.core.transaction import Transaction
from shared.messages.deployer import OPERATIONS_AT_ONCE
from shared.messages.strategy import SitesReleased, StepsChanged
from shared.messages.words import StepState, StrategyState

LOOK_AGAIN = "look_again"
"""The timer at which a strategy is looked at again, such as the end of a soak; its key is the strategy's id."""

STILL = "still"
"""The timer that looks from time to time whether a live strategy stands still; its key is the strategy's id."""

TIMEOUT = "timeout"
"""The timer at which a strategy that has not ended aborts; its key is the strategy's id."""

STILL_AFTER = timedelta(seconds=15)
"""When nothing has ended in a stage for so long, its reason names the sites that run longest."""


@dataclass(slots=True)
class UnitOfWork(Transaction):
    """A transaction with all strategies that it touches."""

    settings: OrchestratorSettings = field(default_factory=OrchestratorSettings)
    inspections: Inspections = field(default_factory=Inspections)
    slots: GroupSlots = field(init=False)
    _strategies: dict[str, TrackedStrategy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.slots = GroupSlots(self, self.inspections.differ)

    async def load(self, ids: Iterable[str]) -> list[TrackedStrategy]:
        """Lock and load strategies, each once; ids that are none are left out."""
        wanted = sorted(set(ids))
        missing = [strategy_id for strategy_id in wanted if strategy_id not in self._strategies]
        for stored in await store.strategies.lock_strategies(self.conn, missing) if missing else ():
            self._strategies[stored.strategy.id] = TrackedStrategy.of(stored)
        return [self._strategies[i] for i in wanted if i in self._strategies]

    async def reload(self, strategy_id: str) -> TrackedStrategy:
        """A strategy as its rows are now: it was planned in this transaction, and nothing else was done with it."""
        del self._strategies[strategy_id]
        (tracked,) = await self.load([strategy_id])
        return tracked

    def leave(self, steps: Iterable[Step]) -> None:
        """Steps of loaded strategies that ran do no longer: their groups have slots again."""
        self.slots.leave(step for step in steps if self._strategies[step.strategy_id].groups)

    @asynccontextmanager
    async def whole_or_not(self, tracked: TrackedStrategy) -> AsyncIterator[None]:
        """What is refused half-way (Refused is raised on) leaves nothing: no row, no message, no change."""
        before, messages, timers = tracked.copy(), len(self.outbox), len(self.timers)
        try:
            async with self.conn.transaction():  # a savepoint
                yield
        except Refused:
            tracked.restore(before)
            del self.outbox[messages:], self.timers[timers:]
            raise

    async def settle(self, tracked: TrackedStrategy) -> None:
        """Do what follows from a strategy now: its next command, or its answer, is to meet it as it will be.

        No site starts before all commands are handled: one that is resumed and paused at once would else start some,
        and be told of as paused all the time.
        """
        await self.slots.open(tracked.groups)
        await self._advance(tracked, starting=False)

    def state_of(self, tracked: TrackedStrategy) -> StrategyState:
        """The state that it will be kept in."""
        known = tracked.now.id in self.inspections.found and tracked.now.state in domain.LIVE
        return StrategyState.NEEDS_INSPECTION if known else tracked.now.state

    async def finish(self) -> None:
        """Do what follows from every loaded strategy, save it, and say so."""
        await self.slots.open(group for tracked in self._strategies.values() for group in tracked.groups)
        for tracked in self._strategies.values():
            await self._advance(tracked)
        await self.slots.save()
        for tracked in self._strategies.values():
            self._inspect(tracked)
            if tracked.now.state in domain.LIVE and tracked.was.state not in domain.LIVE:
                self.set_timer(STILL, tracked.now.id, self.now + STILL_AFTER)
                if tracked.timeout:
                    self.set_timer(TIMEOUT, tracked.now.id, self.now + tracked.timeout)
        changed = [tracked for tracked in self._strategies.values() if tracked.changed]
        for tracked in changed:
            self._announce(tracked)
        await self._save(changed)

    async def next_numbers(self, count: int) -> int:
        """Numbers of the fleet's events."""
        return await store.sites.next_fleet_sequence(self.conn, count)

    def _inspect(self, tracked: TrackedStrategy) -> None:
        """Counts that cannot be are never kept: they are those of the row until a person has them recounted."""
        strategy_id = tracked.now.id
        if misfits := tracked.misfits():
            self.inspections.differ([strategy_id], "; ".join(misfits))
        if differs := self.inspections.found.get(strategy_id):
            tracked.now = domain.inspect(tracked.now, differs)
            self.on_commit(partial(self.inspections.kept, strategy_id))
        if differs or tracked.stands_still:
            tracked.now = replace(tracked.now, stages=tracked.was.stages)
            self._explain(tracked)

    # -- decisions ------------------------------------------------------------------------------------------------

    async def _advance(self, tracked: TrackedStrategy, *, starting: bool = True) -> None:
        """Until nothing more can start: a start that finds only unmanaged sites leaves its slots free."""
        if tracked.now.id in self.inspections.found:
            return None
        while True:
            tracked.touch(self.now)
            decision = advance(tracked.now, self.slots.around(tracked.now), self.now)
            tracked.now = decision.strategy
            if decision.abort_waiting:
                await self._abort_waiting(tracked)
            if decision.stage is None or not decision.start or not starting:
                return await self._settled(tracked, decision)
            if tracked.groups and not self.slots.knows(tracked.now.id, decision.stage):
                await self.slots.queues(tracked.now.id, decision.stage)  # the gate of groups looks at them
                continue
            await self._start(tracked, decision.stage, min(decision.start, OPERATIONS_AT_ONCE))

    def _explain(self, tracked: TrackedStrategy) -> None:
        """Give each stage the reason of what has become of it since."""
        tracked.now = explained(tracked.now, self.slots.around(tracked.now), self.now).strategy

    async def _abort_waiting(self, tracked: TrackedStrategy) -> None:
        tracked.note(await store.steps.abort_steps(self.conn, tracked.now.id, tracked.now.why))
        if tracked.groups:
            await self.slots.forget(tracked.now.id)

    async def _settled(self, tracked: TrackedStrategy, decision: Decision) -> None:
        if tracked.groups:
            await self._note_waiting(tracked, decision)
        if decision.look_again_at and decision.look_again_at > self.now:
            self.set_timer(LOOK_AGAIN, tracked.now.id, decision.look_again_at)
        if decision.let_go and tracked.now != tracked.was:
            await self._let_go(tracked)
        if tracked.touch(self.now):
            self._explain(tracked)

    async def _let_go(self, tracked: TrackedStrategy) -> None:
        if tracked.groups:
            await self.slots.forget(tracked.now.id)
        if await store.holds.release_sites(self.conn, tracked.now.id):
            emit_fleet(self, [(SitesReleased(strategy_id=tracked.now.id), tracked.now.id)])
        if tracked.was.state not in domain.ENDED or tracked.now.round != tracked.was.round:
            await note_offline(self, tracked)

    async def _note_waiting(self, tracked: TrackedStrategy, decision: Decision) -> None:
        """A stage that only its groups keep closed is woken by whoever frees a slot of theirs; no other is."""
        closed = decision.closed is not None and decision.closed.code == GROUP_LIMIT
        for was in tracked.was.stages:
            waits = closed and was.position == decision.stage
            if waits or (was.why is not None and was.why.code == GROUP_LIMIT):
                await self.slots.note_waiting(tracked.now.id, was.position, waits=waits)

    async def _start(self, tracked: TrackedStrategy, stage: int, count: int) -> None:
        tracked.batches += 1
        # The sequence that was loaded rises with every transaction in which steps start.
        batch = f"{tracked.stored.sequence}.{tracked.batches}"
        steps = await self._startable(tracked, stage, count, batch)
        steps.sort(key=lambda step: step.position)
        started = [step for step in steps if step.state == StepState.RUNNING]
        tracked.cursors[stage] = steps[-1].position + 1
        tracked.recount(stage, waiting=-len(steps), running=len(started), aborted=len(steps) - len(started))
        tracked.note(steps)
        if started:
            command = request_of(tracked.stored, tracked.now.round, batch, started)
            self.emit(command, message_id=command.batch, correlation_id=tracked.now.id)

    async def _startable(self, tracked: TrackedStrategy, stage: int, count: int, batch: str) -> list[Step]:
        strategy_id, cursor = tracked.now.id, tracked.cursors[stage]
        if tracked.groups:
            return await self.slots.start(strategy_id, stage, count, batch)
        steps = await store.steps.start_steps(self.conn, strategy_id, stage, cursor, count, batch, self.now)
        if len(steps) < count:
            name = tracked.now.stages[stage].name
            what = f"stage {name} counts {count} sites that may start, and there are {len(steps)}"
            self.inspections.differ([strategy_id], what)
        return steps

    # -- words and rows -------------------------------------------------------------------------------------------

    def _announce(self, tracked: TrackedStrategy) -> None:
        for steps in parts_of_steps(tracked.steps):
            event = StepsChanged.model_construct(strategy_id=tracked.now.id, steps=steps, at=self.now)
            tracked.emit(self, event)
        for moved in what_moved(tracked.was, tracked.now, self.now):
            tracked.emit(self, moved)

    async def _save(self, changed: Sequence[TrackedStrategy]) -> None:
        if not changed:
            return
        await store.strategies.save_strategies(self.conn, [tracked.saved(self.now) for tracked in changed])
        stages = [
            (tracked.now.id, stage, cursor)
            for tracked in changed
            for stage, cursor in zip(tracked.now.stages, tracked.cursors, strict=True)
        ]
        await store.strategies.save_stages(self.conn, stages)
