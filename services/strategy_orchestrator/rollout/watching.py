"""Handlers that see how live strategies go on: what stands still, what the monitor warns of, what is cancelled."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services.strategy_orchestrator import domain, store
from services.strategy_orchestrator.domain import Refused
from services.strategy_orchestrator.rollout.reasons import oldest
from services.strategy_orchestrator.rollout.unit_of_work import (
    SILENT,
    STILL,
    STILL_AFTER,
    Conductor,
    Score,
    operation_id,
    step_of,
)
from services.strategy_orchestrator.store.row import Row
from shared.core.transaction import Timer, Transaction
from shared.messages.base import ErrorCode, Fault
from shared.messages.deployer import CancelOperation, CommandRejected
from shared.messages.monitor import FailureRateHigh, StageForecast, StrategySilent
from shared.messages.strategy import CancelRunning, Why
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


async def look_for_still_stages(tx: Transaction, timers: Sequence[Timer]) -> None:
    """Name the sites that run longest where nothing has ended for a while; look again later."""
    conductor = Conductor(tx)
    for score in await conductor.load(timer.key for timer in timers):
        if score.now.state not in domain.LIVE:
            continue
        tx.set_timer(STILL, score.now.id, tx.now + STILL_AFTER)
        for stage in score.now.stages:
            still = stage.moved_at is None or tx.now - stage.moved_at >= STILL_AFTER
            if stage.counts.running and still and not stage.oldest:
                rows = await store.steps.oldest_running(tx.conn, score.now.id, stage.position, OLDEST_NAMED)
                text = oldest(stage.counts.running, [(row["site"], row["started_at"]) for row in rows])
                score.note_of(stage.position, oldest=text)
    await conductor.finish()


async def forecasts_made(tx: Transaction, batch: Sequence[Envelope[StageForecast]]) -> None:
    """A warning that no longer holds is taken back. The forecast itself is kept by the gateway, which shows it."""
    well = [(e.data.strategy_id, e.data.stage) for e in batch if not e.data.failing]
    over = await store.strategies.no_longer_failing(tx.conn, well) if well else []
    if over:
        await _warn(tx, [(row["strategy_id"], row["position"], None) for row in over])


async def failure_rates_high(tx: Transaction, batch: Sequence[Envelope[FailureRateHigh]]) -> None:
    """Advice to stop: shown with the stage, and heeded where the strategy wants that and its own rows say the same."""
    events = [envelope.data for envelope in batch]
    await _warn(tx, [(e.strategy_id, e.stage, Why(code=FAILING, message=_failing(e))) for e in events], heed=True)


async def stages_silent(tx: Transaction, batch: Sequence[Envelope[StrategySilent]]) -> None:
    """A stage says nothing: shown with it until it moves."""
    events = [envelope.data for envelope in batch]
    await _warn(tx, [(e.strategy_id, e.stage, Why(code=SILENT, message=_silent(e))) for e in events])


async def _warn(tx: Transaction, warnings: Sequence[tuple[str, int, Why | None]], *, heed: bool = False) -> None:
    conductor = Conductor(tx)
    scores = {score.now.id: score for score in await conductor.load(key for key, _, _ in warnings)}
    for strategy_id, stage, warning in warnings:
        score = scores.get(strategy_id)
        if score is None or stage >= len(score.now.stages):
            continue
        if warning is None or score.now.stages[stage].counts.running:  # one that has ended needs no eyes
            score.note_of(stage, warning=warning)
        if heed:
            score.now = domain.heed_monitor(score.now, stage)
    await conductor.finish()


def _failing(event: FailureRateHigh) -> str:
    share = f"{event.failed_in_window} of {event.finished_in_window} sites failed"
    return f"many failures: {share} in the last {event.window_seconds} s"


def _silent(event: StrategySilent) -> str:
    running = "1 site runs" if event.running == 1 else f"{event.running} sites run"
    return f"nothing was heard for {event.silent_seconds} s, while {running}"


async def cancel_running(_: Conductor, score: Score, tx: Transaction, envelope: Envelope[Any]) -> None:
    """Ask the deployer to stop these running sites, or all. Raises Refused when none of them runs."""
    command: CancelRunning = envelope.data
    rows = await store.steps.running_steps(tx.conn, score.now.id, command.sites)
    if not rows:
        message = f"no such site runs in strategy {score.now.name}" if command.sites else "no site runs in it now"
        raise Refused(Fault(code="nothing_runs", field="sites" if command.sites else "strategy", message=message))
    for row in rows:
        _cancel(tx, row, score.now.name, because=command.reason, cause=envelope)


def _cancel(
    tx: Transaction, row: Row, strategy: str, *, because: str = "", cause: Envelope[Any] | None = None, nth: int = 0
) -> None:
    operation = operation_id(row["strategy_id"], row["position"], row["attempt"])
    reason = f"cancelled with strategy {strategy}" + (f": {because}" if because else "")
    order = CancelOperation(site=row["site"], operation_id=operation, reason=reason[:1_000])
    tx.emit(order, message_id=f"{operation}/cancel" + (f".{nth}" if nth else ""), cause=cause)


async def cancels_refused(tx: Transaction, answers: Sequence[CommandRejected]) -> None:
    """A cancellation travels under the key of its site and may overtake the request of its operation: it is sent again
    until that is known, or has ended. Under an id of its own, for the deployer answers each id once."""
    for answer in answers:
        match = _CANCEL.fullmatch(answer.command_id)
        if match and answer.code in OVERTAKEN:
            nth = int(match[2] or 0) + 1
            tx.set_timer(CANCEL, match[1], tx.now + timedelta(seconds=min(nth, LONGEST_WAIT)), nth=nth)


async def cancel_again(tx: Transaction, timers: Sequence[Timer]) -> None:
    """Ask once more for what runs still."""
    steps = {step: timer.payload["nth"] for timer in timers if (step := step_of(timer.key))}
    for row in await store.steps.still_running(tx.conn, list(steps)):
        nth = steps[row["strategy_id"], row["position"], row["attempt"]]
        _cancel(tx, row, row["strategy"], nth=nth)
