"""Handlers that see how live strategies go on: what stands still, what the monitor warns of, what is cancelled."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.domain import Refused
from services.strategy_orchestrator.rollout.operation_ids import operation_id, step_of
from services.strategy_orchestrator.rollout.reasons import oldest
from services.strategy_orchestrator.rollout.tracked import SILENT, TrackedStrategy
from services.strategy_orchestrator.rollout.unit_of_work import STILL, STILL_AFTER, UnitOfWork
from services.strategy_orchestrator.store.steps import RunningStep
from shared.core.transaction import Timer
from shared.messages.base import ErrorCode, Fault
from shared.messages.deployer import CancelOperation, CommandRejected
from shared.messages.monitor import FailureRateHigh, StageForecast, StrategySilent
from shared.messages.strategy import Why
from shared.messages.words import StrategyState
from shared.wire.codec import Envelope

FAILING = "failure_rate_high"

CANCEL = "cancel"
"""The timer that asks again for a running step to be cancelled; its key is the operation's id."""

OVERTAKEN = frozenset({"unknown_operation", ErrorCode.COMMAND_ID_REUSED})
"""Refusals of a cancellation that may have come too early; a second one with another reason has the id of the first."""

LONGEST_WAIT = 30
_CANCEL = re.compile(r"(.+)/cancel(?:\.([0-9]{1,6}))?")

OLDEST_NAMED = 3
"""A reason names so many of the sites that run longest."""


async def look_for_still_stages(work: UnitOfWork, timers: Sequence[Timer]) -> None:
    """Name the sites that run longest where nothing has ended for a while; look again later."""
    for tracked in await work.load(timer.key for timer in timers):
        if tracked.now.state not in domain.LIVE or tracked.stands_still:
            continue
        work.set_timer(STILL, tracked.now.id, work.now + STILL_AFTER)
        for stage in tracked.now.stages:
            still = stage.moved_at is None or work.now - stage.moved_at >= STILL_AFTER
            if stage.counts.running and still and not stage.oldest:
                rows = await store.steps.oldest_running(work.conn, tracked.now.id, stage.position, OLDEST_NAMED)
                text = oldest(stage.counts.running, rows)
                tracked.note_of(stage.position, oldest=text)


async def out_of_time(work: UnitOfWork, timers: Sequence[Timer]) -> None:
    """Strategies that have not ended within their time go no further: what runs finishes, what waits is aborted."""
    for tracked in await work.load(timer.key for timer in timers):
        if tracked.deleted_at is not None:  # while it waited for its release
            continue
        took = f"{tracked.timeout.total_seconds():.0f} s" if tracked.timeout else "its time"
        if tracked.now.state is StrategyState.WAITING:
            message = f"publication {tracked.now.publication} had made no release available after {took}"
            tracked.now = domain.fail(tracked.now, Why(code="timeout", message=message))
            continue
        why = Why(code="timeout", message=f"it had not ended {took} after its start")
        tracked.now = domain.stop(tracked.now, why)


async def forecasts_made(work: UnitOfWork, batch: Sequence[Envelope[StageForecast]]) -> None:
    """A warning that no longer holds is taken back. The forecast itself is kept by the gateway, which shows it."""
    well = [(e.data.strategy_id, e.data.stage) for e in batch if not e.data.failing]
    over = await store.strategies.no_longer_failing(work.conn, well) if well else []
    if over:
        await _warn(work, [(strategy_id, stage, None) for strategy_id, stage in over])


async def failure_rates_high(work: UnitOfWork, batch: Sequence[Envelope[FailureRateHigh]]) -> None:
    """Advice to stop: shown with the stage, and heeded where the strategy wants that and its own rows say the same."""
    events = [envelope.data for envelope in batch]
    await _warn(work, [(e.strategy_id, e.stage, Why(code=FAILING, message=_failing(e))) for e in events], heed=True)


async def stages_silent(work: UnitOfWork, batch: Sequence[Envelope[StrategySilent]]) -> None:
    """A stage says nothing: shown with it until it moves."""
    events = [envelope.data for envelope in batch]
    await _warn(work, [(e.strategy_id, e.stage, Why(code=SILENT, message=_silent(e))) for e in events])


async def _warn(work: UnitOfWork, warnings: Sequence[tuple[str, int, Why | None]], *, heed: bool = False) -> None:
    strategies = {tracked.now.id: tracked for tracked in await work.load(key for key, _, _ in warnings)}
    for strategy_id, stage, warning in warnings:
        tracked = strategies.get(strategy_id)
        if tracked is None or stage >= len(tracked.now.stages):
            continue
        if warning is None or tracked.now.stages[stage].counts.running:  # one that has ended needs no eyes
            tracked.note_of(stage, warning=warning)
        if heed:
            tracked.now = domain.heed_monitor(tracked.now, stage)


def _failing(event: FailureRateHigh) -> str:
    share = f"{event.failed_in_window} of {event.finished_in_window} sites failed"
    return f"many failures: {share} in the last {event.window_seconds} s"


def _silent(event: StrategySilent) -> str:
    running = "1 site runs" if event.running == 1 else f"{event.running} sites run"
    return f"nothing was heard for {event.silent_seconds} s, while {running}"


async def cancel_running(work: UnitOfWork, tracked: TrackedStrategy, envelope: Envelope[Any]) -> None:
    """Ask the deployer to stop these running sites, or all. Raises Refused when none of them runs."""
    sites = envelope.data.sites
    if not await cancel(work, tracked, envelope, sites):
        message = f"no such site runs in strategy {tracked.now.name}" if sites else "no site runs in it now"
        raise Refused(Fault(code="nothing_runs", field="sites" if sites else "strategy", message=message))


async def cancel(work: UnitOfWork, tracked: TrackedStrategy, envelope: Envelope[Any], sites: Sequence[str] = ()) -> int:
    """Ask the deployer to stop these running sites, or all; how many run."""
    steps = await store.steps.running_steps(work.conn, tracked.now.id, sites)
    for step in steps:
        _cancel(work, step, because=envelope.data.reason, cause=envelope)
    return len(steps)


def _cancel(
    work: UnitOfWork, step: RunningStep, *, because: str = "", cause: Envelope[Any] | None = None, nth: int = 0
) -> None:
    operation = operation_id(step.strategy_id, step.position, step.attempt)
    reason = f"cancelled with strategy {step.strategy}" + (f": {because}" if because else "")
    order = CancelOperation(site=step.site, operation_id=operation, reason=reason[:1_000])
    work.emit(order, message_id=f"{operation}/cancel" + (f".{nth}" if nth else ""), cause=cause)


async def cancels_refused(work: UnitOfWork, answers: Sequence[CommandRejected]) -> None:
    """A cancellation travels under the key of its site and may overtake the request of its operation: it is sent again
    until that is known, or has ended. Under an id of its own, for the deployer answers each id once."""
    for answer in answers:
        match = _CANCEL.fullmatch(answer.command_id)
        if match and answer.code in OVERTAKEN:
            nth = int(match[2] or 0) + 1
            work.set_timer(CANCEL, match[1], work.now + timedelta(seconds=min(nth, LONGEST_WAIT)), nth=nth)


async def cancel_again(work: UnitOfWork, timers: Sequence[Timer]) -> None:
    """Ask once more for what runs still."""
    times = {step: timer.payload["nth"] for timer in timers if (step := step_of(timer.key))}
    for running in await store.steps.still_running(work.conn, list(times)):
        _cancel(work, running, nth=times[running.strategy_id, running.position, running.attempt])
