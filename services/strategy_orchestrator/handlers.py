"""The table of what this service listens to, with the handlers too small for a file of their own."""

from collections.abc import Mapping, Sequence

from services.strategy_orchestrator.fleet import alarms, availability, drivers, groups, secrets, site_changes, sites
from services.strategy_orchestrator.fleet.group_slots import GROUP_SLOT
from services.strategy_orchestrator.fleet.retelling import TELL_SITES, tell_sites
from services.strategy_orchestrator.rollout import (
    catching_up,
    commands,
    operations,
    publications,
    watching,
    withdrawals,
)
from services.strategy_orchestrator.rollout.offline_steps import CATCH_UP
from services.strategy_orchestrator.rollout.unit_of_work import LOOK_AGAIN, STILL, TIMEOUT, UnitOfWork
from shared.core.dispatching import Handlers
from shared.core.scheduler import TimerHandler
from shared.core.transaction import Timer
from shared.messages.catalog import PublicationSettled, ReleaseAvailable, ReleaseDeleted, ReleaseWithdrawn
from shared.messages.deployer import (
    AvailabilityChanged,
    CommandAccepted,
    CommandRejected,
    HostReported,
    OperationFailed,
    OperationsSucceeded,
    OperationSucceeded,
    SecretChanged,
    SecretRemoved,
)
from shared.messages.monitor import FailureRateHigh, StageForecast, StrategySilent
from shared.messages.strategy import (
    ChangeSites,
    ClearAlarm,
    CreateGroup,
    DeleteGroup,
    RaiseAlarm,
    RegisterSites,
    RemoveSites,
    UpdateGroup,
)


async def look_again(work: UnitOfWork, timers: Sequence[Timer]) -> None:
    """A soak ended, or a group has slots: look at the strategy again."""
    await work.load(timer.key for timer in timers)


HANDLERS: Handlers = {
    RegisterSites: sites.register_sites,
    ChangeSites: site_changes.change_sites,
    RemoveSites: sites.remove_sites,
    RaiseAlarm: alarms.change_alarms,
    ClearAlarm: alarms.change_alarms,
    CreateGroup: groups.create_group,
    UpdateGroup: groups.update_group,
    DeleteGroup: groups.delete_group,
    **commands.HANDLERS,
    AvailabilityChanged: availability.availability_changed,
    HostReported: drivers.hosts_reported,
    SecretChanged: secrets.secrets_changed,
    SecretRemoved: secrets.secrets_changed,
    ReleaseAvailable: withdrawals.releases_available,
    ReleaseWithdrawn: withdrawals.releases_withdrawn,
    ReleaseDeleted: withdrawals.releases_deleted,
    PublicationSettled: publications.publications_settled,
    CommandAccepted: operations.operations_began,
    OperationSucceeded: operations.operations_finished,
    OperationsSucceeded: operations.operations_finished,
    OperationFailed: operations.operations_finished,
    CommandRejected: operations.requests_refused,
    StageForecast: watching.forecasts_made,
    FailureRateHigh: watching.failure_rates_high,
    StrategySilent: watching.stages_silent,
}

TIMERS: Mapping[str, TimerHandler] = {
    LOOK_AGAIN: look_again,
    GROUP_SLOT: look_again,
    operations.UNBLOCK: operations.unblock,
    STILL: watching.look_for_still_stages,
    TIMEOUT: watching.out_of_time,
    CATCH_UP: catching_up.catch_up,
    publications.PUBLISHED: publications.published,
    watching.CANCEL: watching.cancel_again,
    TELL_SITES: tell_sites,
}

TOPICS = ("strategy.commands", "deployer.events", "deployer.facts", "catalog.events", "monitor.events")
