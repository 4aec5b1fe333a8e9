"""Carries out what the domain decides: loads strategies under their locks, does the moves, saves, emits.

One `Conductor` lives for one transaction. Handlers load strategies through it, change them by domain functions, and
report steps that moved; `finish` does all that follows and writes each kind of change once for the whole transaction.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.domain import Moves, Refused, Stage, Strategy
from services.strategy_orchestrator.fleet.changes import emit_fleet
from services.strategy_orchestrator.fleet.group_slots import Places
from services.strategy_orchestrator.message_parts import in_batches
from services.strategy_orchestrator.rollout.reasons import why_now, why_waiting
from services.strategy_orchestrator.store.row import Row
from services.strategy_orchestrator.strategies import operation_of
from services.strategy_orchestrator.strategies.site import ALREADY_THERE
from shared.core.transaction import Transaction
from shared.messages.base import Event, Fault
from shared.messages.deployer import OPERATIONS_AT_ONCE, Requested, RequestOperations
from shared.messages.strategy import (
    BATCH,
    Counts,
    FailurePolicy,
    SitesHeld,
    SitesReleased,
    StageProgressed,
    StepChange,
    StepsChanged,
    StrategyStateChanged,
    Why,
)
from shared.messages.words import OperationKind, StageState, StepState, StrategyState, StrategyType

SILENT = "strategy_silent"
"""The warning that a stage fell silent; it holds until the stage moves."""

SOAK = "soak"
"""The timer that ends a soak; its key is the strategy's id."""

STILL = "still"
"""The timer that looks from time to time whether a live strategy stands still; its key is the strategy's id."""

STILL_AFTER = timedelta(seconds=15)
"""When nothing has ended in a stage for so long, its reason names the sites that run longest."""

UNPARK = "unpark"
"""The timer that lets steps try again which the deployer was not ready for; its key is the strategy's id."""


REMOVED = Why(code="site_removed", message="the site was removed; there is nothing left to do")
"""The reason of a step that is skipped because its site is gone."""


def withdrawn(version: str) -> Why:
    """The reason of what is not done because its release was withdrawn."""
    return Why(code="release_withdrawn", message=f"release {version} was withdrawn")


def operation_id(strategy_id: str, position: int, attempt: int) -> str:
    """The id of a step's operation: the same step and attempt always asks for the same operation."""
    return f"{strategy_id}.{position}.{attempt}"


def step_of(operation: str) -> tuple[str, int, int] | None:
    """Strategy id, position and attempt of a step's operation; None for any other operation."""
    match = _STEP.fullmatch(operation)
    return (match[1], int(match[2]), int(match[3])) if match else None


def batch_of(batch: str) -> tuple[str, str] | None:
    """Strategy id and name of a batch of operations that a strategy asked for; None for any other command."""
    match = _BATCH.fullmatch(batch)
    return (match[1], match[2]) if match else None


_STEP = re.compile(r"(.+)\.([0-9]{1,9})\.([0-9]{1,9})")
_BATCH = re.compile(r"(.+)/([0-9]{1,9}\.[0-9]{1,9})")


@dataclass(slots=True)
class Score:
    """A strategy during a transaction: as it was loaded, as it is now, and what moved."""

    row: Row
    was: Strategy
    now: Strategy
    cursors: list[int]
    sequence: int
    groups: list[str]
    """Of its sites, where any has one: its steps need places there."""
    steps: list[StepChange] = field(default_factory=list)
    batches: int = 0
    """How often steps were started in this transaction."""

    def emit(self, tx: Transaction, event: Event) -> None:
        """Send an event of this strategy with its next sequence number."""
        self.sequence += 1
        tx.emit(event, sequence=self.sequence, correlation_id=self.now.id)

    def note(self, rows: Iterable[Row]) -> None:
        """Steps as they are now, for the events of this transaction."""
        self.steps.extend(_change(self.now.id, row) for row in rows)

    def note_of(self, stage: int, **facts: Any) -> None:
        """Something else is known of a stage: full_groups, oldest, warning, moved_at."""
        stages = list(self.now.stages)
        stages[stage] = replace(stages[stage], **facts)
        self.now = replace(self.now, stages=tuple(stages))

    def touch(self, now: datetime) -> None:
        """What was said of a stage that stood still holds no longer where its counts moved."""
        for was, stage in zip(self.was.stages, self.now.stages, strict=True):
            if stage.counts != was.counts:
                ended = stage.counts.running == stage.counts.waiting == 0
                silent = stage.warning is not None and stage.warning.code == SILENT
                warning = None if ended or silent else stage.warning
                self.note_of(stage.position, moved_at=now, oldest="", warning=warning)

    def recount(self, stage: int, **deltas: int) -> None:
        """Some sites of a stage changed state; `parked` counts beside the states."""
        stages = list(self.now.stages)
        parked = stages[stage].parked + deltas.pop("parked", 0)
        counts = domain.moved(stages[stage].counts, **deltas)
        stages[stage] = replace(stages[stage], counts=counts, parked=parked)
        self.now = replace(self.now, stages=tuple(stages))

    def aborted(self, rows: Sequence[Row]) -> None:
        """Some steps that waited do no longer: they were aborted."""
        self.note(rows)
        for stage, count in Counter(row["stage"] for row in rows).items():
            self.recount(stage, waiting=-count, aborted=count)


class Conductor:
    """All strategies that one transaction touches."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._scores: dict[str, Score] = {}
        self.places = Places(tx)

    @property
    def tx(self) -> Transaction:
        """The transaction it lives for."""
        return self._tx

    async def load(self, ids: Iterable[str]) -> list[Score]:
        """Lock and load strategies; ids that are none are left out."""
        wanted = sorted(set(ids))
        missing = [strategy_id for strategy_id in wanted if strategy_id not in self._scores]
        rows = await store.strategies.lock_strategies(self._tx.conn, missing) if missing else []
        stages: dict[str, list[Row]] = {row["id"]: [] for row in rows}
        for stage in await store.strategies.stages_of(self._tx.conn, list(stages)) if rows else []:
            stages[stage["strategy_id"]].append(stage)
        for row in rows:
            strategy = _strategy(row, stages[row["id"]])
            cursors = [stage["cursor"] for stage in stages[row["id"]]]
            self._scores[row["id"]] = Score(row, strategy, strategy, cursors, row["sequence"], row["groups"])
        return [self._scores[i] for i in wanted if i in self._scores]

    def leave(self, rows: Iterable[Row]) -> None:
        """Steps of loaded strategies that ran do no longer: their groups have places again."""
        self.places.leave(row for row in rows if self._scores[row["strategy_id"]].groups)

    async def finish(self) -> None:
        """Do what follows from every loaded strategy, save it, and say so."""
        await self.places.open(group for score in self._scores.values() for group in score.groups)
        for score in self._scores.values():
            await self._advance(score)
        await self.places.save()
        for score in self._scores.values():
            score.touch(self._tx.now)
            if score.now.state in domain.LIVE and score.was.state not in domain.LIVE:
                self._tx.set_timer(STILL, score.now.id, self._tx.now + STILL_AFTER)
        changed = [s for s in self._scores.values() if s.now != s.was or s.steps]
        for score in changed:
            self._announce(score)
        await self._save(changed)

    async def hold(self, score: Score) -> None:
        """Hold the sites of all waiting steps; those whose site was removed, or whose own release was withdrawn, are
        skipped.

        Raises Refused when one of them cannot be had, or when the release of all was withdrawn since the plan.
        """
        for version in await store.releases.withdrawn_targets(self._tx.conn, score.now.id):
            if score.row["version"] is not None:
                raise Refused(_not_reachable(score, version))
            rows = await store.steps.abort_steps_towards(self._tx.conn, score.now.id, version, withdrawn(version))
            score.aborted(rows)
        names = await store.holds.hold_sites(self._tx.conn, score.now.id)
        missing = await store.holds.sites_not_held(self._tx.conn, score.now.id)
        if any(row["held_by"] is None for row in missing):
            await self._skip_removed(score)
            missing = await store.holds.sites_not_held(self._tx.conn, score.now.id)
        if missing:
            raise Refused(*(_not_held(row) for row in missing))
        score.groups = await store.groups.share_out(self._tx.conn, score.now.id)
        events = [
            SitesHeld(strategy_id=score.now.id, strategy=score.now.name, names=tuple(names[i : i + BATCH]))
            for i in range(0, len(names), BATCH)
        ]
        await emit_fleet(self._tx, [(event, score.now.id) for event in events])

    async def _skip_removed(self, score: Score) -> None:
        """A site that was scrapped must not keep all others from going on."""
        rows = await store.steps.skip_removed(self._tx.conn, score.now.id, REMOVED)
        score.aborted(rows)
        score.now = replace(score.now, skipped=score.now.skipped + len(rows))

    # -- moves ----------------------------------------------------------------------------------------------------

    async def _advance(self, score: Score) -> None:
        """Until nothing more can start: a start that finds only unmanaged sites leaves its slots free."""
        while True:
            moves = domain.advance(score.now, self._tx.now)
            score.now = moves.strategy
            if moves.abort_waiting:
                await self._abort_waiting(score)
            if moves.stage is None or not moves.start:
                return await self._settle(score, moves)
            if not await self._start(score, moves.stage, min(moves.start, OPERATIONS_AT_ONCE)):
                return await self._settle(score, moves)

    async def _abort_waiting(self, score: Score) -> None:
        score.note(await store.steps.abort_steps(self._tx.conn, score.now.id, score.now.why))
        if score.groups:
            await self.places.forget(score.now.id)

    async def _settle(self, score: Score, moves: Moves) -> None:
        if score.groups:
            await self._note_full_groups(score, moves)
        if moves.soak_until and moves.soak_until > self._tx.now:
            self._tx.set_timer(SOAK, score.now.id, moves.soak_until)
        ended_now = moves.let_go and score.now != score.was
        if ended_now and score.groups:
            await self.places.forget(score.now.id)
        if ended_now and await store.holds.release_sites(self._tx.conn, score.now.id):
            await emit_fleet(self._tx, [(SitesReleased(strategy_id=score.now.id), score.now.id)])

    async def _note_full_groups(self, score: Score, moves: Moves) -> None:
        """A stage with slots for sites that did not start waits for their groups; any other for something else."""
        for stage in score.now.stages:
            waits = stage.position == moves.stage and moves.start > 0
            if waits or stage.full_groups:
                text = await self.places.block(score.now.id, stage.position, waits=waits)
                score.note_of(stage.position, full_groups=text)

    async def _start(self, score: Score, stage: int, count: int) -> bool:
        """Start up to `count` steps; False when their groups have no place for any."""
        score.batches += 1
        batch = f"{score.sequence}.{score.batches}"  # the sequence rises with every transaction in which steps start
        rows = await self._startable(score, stage, count, batch)
        if not rows:
            return False
        rows.sort(key=lambda row: row["position"])
        started = [row for row in rows if row["state"] == StepState.RUNNING]
        score.cursors[stage] = rows[-1]["position"] + 1
        score.recount(stage, waiting=-len(rows), running=len(started), aborted=len(rows) - len(started))
        score.note(rows)
        if started:
            self._request(score, batch, started)
        return True

    async def _startable(self, score: Score, stage: int, count: int, batch: str) -> list[Row]:
        if score.groups:
            return await self.places.start(score.now.id, stage, count, batch)
        rows = await store.steps.start_steps(
            self._tx.conn, score.now.id, stage, score.cursors[stage], count, batch, self._tx.now
        )
        if len(rows) < count:
            raise AssertionError(f"stage {stage} of {score.now.id} counts {count} startable sites, found {len(rows)}")
        return rows

    def _request(self, score: Score, batch: str, steps: Sequence[Row]) -> None:
        spec = score.row["spec"]
        targets = {row["target"] or score.row["version"] for row in steps}
        alike = len(targets) == 1
        command = RequestOperations(
            batch=f"{score.now.id}/{batch}",
            strategy_id=score.now.id,
            app=score.row["app"],
            kind=asked_for(score.row),
            version=targets.pop() if alike else score.row["version"],
            timeout_seconds=spec["step_timeout_seconds"],
            again=spec["force"],
            operations=tuple(_requested(score.now.id, row, alike) for row in steps),
        )
        self._tx.emit(command, message_id=command.batch, correlation_id=score.now.id)

    # -- words and rows -------------------------------------------------------------------------------------------

    def _announce(self, score: Score) -> None:
        """One event per stage that moved, its steps in batches, and the strategy itself if it moved on."""
        at, now = self._tx.now, score.now
        for steps in in_batches(score.steps):
            score.emit(self._tx, StepsChanged.model_construct(strategy_id=now.id, steps=steps, at=at))
        stages = list(_stages_told(score, at))
        moved_on = now.state != score.was.state
        told = [state_event(now, at, renewed=not moved_on)] if moved_on or why_now(now) != why_now(score.was) else []
        # In a timeline a strategy begins before its stages, and ends after them.
        begins = now.state in domain.LIVE and score.was.state not in domain.LIVE
        for event in (*told, *stages) if begins else (*stages, *told):
            score.emit(self._tx, event)

    async def _save(self, scores: Sequence[Score]) -> None:
        if not scores:
            return
        await store.strategies.save_strategies(self._tx.conn, [_saved(score, self._tx.now) for score in scores])
        stages = [
            (score.now.id, stage, cursor)
            for score in scores
            for stage, cursor in zip(score.now.stages, score.cursors, strict=True)
        ]
        await store.strategies.save_stages(self._tx.conn, stages)


def _stages_told(score: Score, at: datetime) -> Iterator[StageProgressed]:
    """Those stages of which there is something new, their reasons to wait included."""
    for was, stage in zip(score.was.stages, score.now.stages, strict=True):
        why = why_waiting(score.now, stage)
        if stage != was or why != why_waiting(score.was, was):
            yield progress_of(score.now, stage, why, at)


def progress_of(strategy: Strategy, stage: Stage, why: Why | None, at: datetime) -> StageProgressed:
    """A stage as it stands, in absolute counts."""
    return StageProgressed(
        strategy_id=strategy.id,
        stage=stage.position,
        name=stage.name,
        state=stage.state,
        counts=stage.counts,
        max_parallel=stage.max_parallel,
        why=why,
        warning=stage.warning,
        at=at,
    )


def state_event(strategy: Strategy, at: datetime, *, renewed: bool = False) -> StrategyStateChanged:
    """The strategy as it stands; `renewed` when only its reason has other numbers."""
    return StrategyStateChanged(
        strategy_id=strategy.id,
        name=strategy.name,
        state=strategy.state,
        why=why_now(strategy),
        counts=strategy.counts,
        renewed=renewed,
        at=at,
    )


def asked_for(row: Row) -> OperationKind:
    """What a strategy asks of the deployer on each site."""
    if row["operation"]:
        return OperationKind(row["operation"])
    return operation_of(StrategyType(row["type"]), row["spec"]["force"])  # planned by a version that did not note it


def _requested(strategy_id: str, row: Row, alike: bool) -> Requested:
    """Where all sites of a command go to the same release, the command says it once."""
    identifier = operation_id(strategy_id, row["position"], row["attempt"])
    return Requested(operation_id=identifier, site=row["site"], version=None if alike else row["target"])


def _not_held(row: Row) -> Fault:
    site, holder = row["site"], row["held_by"]
    message = f"strategy {holder} holds site '{site}'; a site takes part in one strategy at a time"
    return Fault(code="site_held", field="strategy", message=message, value=site)


def _not_reachable(score: Score, version: str) -> Fault:
    message = f"release {version} of {score.row['app']} was withdrawn; create a strategy to another release"
    return Fault(code="release_withdrawn", field="strategy", message=message, value=version)


def _change(strategy_id: str, row: Row) -> StepChange:
    why = Why(code=row["why_code"], message=row["why_message"] or "") if row["why_code"] else None
    begun = row["state"] not in {StepState.WAITING, StepState.ABORTED} and row["why_code"] != ALREADY_THERE
    return StepChange(
        site=row["site"],
        stage=row["stage"],
        state=StepState(row["state"]),
        attempt=row["attempt"],
        operation_id=operation_id(strategy_id, row["position"], row["attempt"]) if begun else None,
        why=why,
        target=row["target"],
    )


def _strategy(row: Row, stages: Sequence[Row]) -> Strategy:
    return Strategy(
        id=row["id"],
        name=row["name"],
        state=StrategyState(row["state"]),
        why=Why(code=row["why_code"], message=row["why_message"]),
        policy=FailurePolicy(**row["spec"]["on_failure"]),
        stages=tuple(_stage(stage) for stage in stages),
        ends_as=StrategyState(row["ends_as"]) if row["ends_as"] else None,
        left_out=row["left_out"],
        skipped=row["skipped"],
    )


def _stage(row: Row) -> Stage:
    return Stage(
        position=row["position"],
        name=row["name"],
        state=StageState(row["state"]),
        counts=Counts(**{name: row[name] for name in Counts.model_fields}),
        max_parallel=row["max_parallel"],
        soak_seconds=row["soak_seconds"],
        soak_until=row["soak_until"],
        forgiven=row["forgiven"],
        parked=row["parked"],
        full_groups=row["full_groups"],
        moved_at=row["moved_at"],
        oldest=row["oldest"],
        warning=Why(**row["warning"]) if row["warning"] else None,
    )


def _saved(score: Score, now: datetime) -> tuple[Any, ...]:
    strategy, row = score.now, score.row
    ended = strategy.state in domain.ENDED
    started = row["started_at"] or (now if strategy.state in domain.LIVE else None)
    finished = (row["finished_at"] or now) if ended and score.was.state in domain.ENDED else now if ended else None
    why = strategy.why
    facts = (strategy.id, strategy.state, strategy.ends_as, why.code, why.message, score.sequence)
    return (*facts, started, finished, strategy.skipped)
