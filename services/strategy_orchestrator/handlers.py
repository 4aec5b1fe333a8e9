"""The table of what this service listens to, with the handlers too small for a file of their own."""

from collections.abc import Mapping, Sequence
from functools import partial

from services.strategy_orchestrator import domain, fleet, outcomes, roll_out, site_changes, store, withdrawals
from services.strategy_orchestrator.conductor import SOAK, UNPARK, Conductor
from services.strategy_orchestrator.places import ROOM
from services.strategy_orchestrator.settings import Knobs
from shared.bus import Handlers
from shared.clockwork import TimerHandler
from shared.codec import Envelope
from shared.ledger import Timer, Turn
from shared.messages.catalog import ReleaseAvailable, ReleaseWithdrawn
from shared.messages.deployer import (
    CommandAccepted,
    CommandRejected,
    OperationFailed,
    OperationsSucceeded,
    OperationSucceeded,
)
from shared.messages.monitor import FailureRateHigh, StageForecast
from shared.messages.strategy import ChangeSites, CreateGroup, DeleteGroup, RegisterSites, RemoveSites, UpdateGroup


async def forecasts_made(turn: Turn, batch: Sequence[Envelope[StageForecast]]) -> None:
    """Keep the monitor's advice beside the stage it is about."""
    rows = [(e.data.strategy_id, e.data.stage, e.data.model_dump(mode="json")) for e in batch]
    await store.save_forecasts(turn.conn, rows)


async def failure_rates_high(turn: Turn, batch: Sequence[Envelope[FailureRateHigh]]) -> None:
    """Advice to stop: heeded where the strategy wants that and its own rows say the same."""
    conductor = Conductor(turn)
    scores = {score.now.id: score for score in await conductor.load(e.data.strategy_id for e in batch)}
    for envelope in batch:
        score, stage = scores.get(envelope.data.strategy_id), envelope.data.stage
        if score and stage < len(score.now.stages):
            score.now = domain.heed_monitor(score.now, stage)
    await conductor.finish()


async def look_again(turn: Turn, timers: Sequence[Timer]) -> None:
    """A soak ended, or a group has room: look at the strategy again."""
    conductor = Conductor(turn)
    await conductor.load(timer.key for timer in timers)
    await conductor.finish()


def handlers(knobs: Knobs) -> Handlers:
    """HANDLERS with the knobs they need."""
    began, refused = partial(outcomes.operations_began, knobs), partial(outcomes.requests_refused, knobs)
    return {**HANDLERS, CommandAccepted: began, CommandRejected: refused}


HANDLERS: Handlers = {
    RegisterSites: fleet.register_sites,
    ChangeSites: site_changes.change_sites,
    RemoveSites: fleet.remove_sites,
    CreateGroup: fleet.create_group,
    UpdateGroup: fleet.update_group,
    DeleteGroup: fleet.delete_group,
    **roll_out.HANDLERS,
    ReleaseAvailable: withdrawals.releases_available,
    ReleaseWithdrawn: withdrawals.releases_withdrawn,
    CommandAccepted: partial(outcomes.operations_began, Knobs.model_construct()),
    OperationSucceeded: outcomes.operations_finished,
    OperationsSucceeded: outcomes.operations_finished,
    OperationFailed: outcomes.operations_finished,
    CommandRejected: partial(outcomes.requests_refused, Knobs.model_construct()),
    StageForecast: forecasts_made,
    FailureRateHigh: failure_rates_high,
}

TIMERS: Mapping[str, TimerHandler] = {SOAK: look_again, ROOM: look_again, UNPARK: outcomes.unpark}

TOPICS = ("strategy.commands", "deployer.events", "catalog.events", "monitor.events")
