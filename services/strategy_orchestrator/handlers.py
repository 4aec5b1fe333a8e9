"""The table of what this service listens to, with the handlers too small for a file of their own."""

from collections.abc import Mapping, Sequence
from functools import partial

from services.strategy_orchestrator.fleet import groups, site_changes, sites
from services.strategy_orchestrator.fleet.group_slots import ROOM
from services.strategy_orchestrator.rollout import commands, operations, watching, withdrawals
from services.strategy_orchestrator.rollout.unit_of_work import SOAK, STILL, UNPARK, Conductor
from services.strategy_orchestrator.settings import Knobs
from shared.core.bus import Handlers
from shared.core.scheduler import TimerHandler
from shared.core.transaction import Timer, Transaction
from shared.messages.catalog import ReleaseAvailable, ReleaseWithdrawn
from shared.messages.deployer import (
    CommandAccepted,
    CommandRejected,
    OperationFailed,
    OperationsSucceeded,
    OperationSucceeded,
)
from shared.messages.monitor import FailureRateHigh, StageForecast, StrategySilent
from shared.messages.strategy import ChangeSites, CreateGroup, DeleteGroup, RegisterSites, RemoveSites, UpdateGroup


async def look_again(tx: Transaction, timers: Sequence[Timer]) -> None:
    """A soak ended, or a group has room: look at the strategy again."""
    conductor = Conductor(tx)
    await conductor.load(timer.key for timer in timers)
    await conductor.finish()


def handlers(knobs: Knobs) -> Handlers:
    """HANDLERS with the knobs they need."""
    began, refused = partial(operations.operations_began, knobs), partial(operations.requests_refused, knobs)
    return {**HANDLERS, CommandAccepted: began, CommandRejected: refused}


HANDLERS: Handlers = {
    RegisterSites: sites.register_sites,
    ChangeSites: site_changes.change_sites,
    RemoveSites: sites.remove_sites,
    CreateGroup: groups.create_group,
    UpdateGroup: groups.update_group,
    DeleteGroup: groups.delete_group,
    **commands.HANDLERS,
    ReleaseAvailable: withdrawals.releases_available,
    ReleaseWithdrawn: withdrawals.releases_withdrawn,
    CommandAccepted: partial(operations.operations_began, Knobs.model_construct()),
    OperationSucceeded: operations.operations_finished,
    OperationsSucceeded: operations.operations_finished,
    OperationFailed: operations.operations_finished,
    CommandRejected: partial(operations.requests_refused, Knobs.model_construct()),
    StageForecast: watching.forecasts_made,
    FailureRateHigh: watching.failure_rates_high,
    StrategySilent: watching.stages_silent,
}

TIMERS: Mapping[str, TimerHandler] = {
    SOAK: look_again,
    ROOM: look_again,
    UNPARK: operations.unpark,
    STILL: watching.look_for_still_stages,
    watching.CANCEL: watching.cancel_again,
}

TOPICS = ("strategy.commands", "deployer.events", "catalog.events", "monitor.events")
