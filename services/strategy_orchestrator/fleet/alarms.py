"""The handler of alarms: people and programs raise and clear them. Those of a batch are read and kept together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.strategy_orchestrator import store
from services.strategy_orchestrator.fleet.changes import emit_fleet
from services.strategy_orchestrator.rollout.site_conditions import sites_changed
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.store.alarms import Alarm
from shared.core.inbox import Accepted, Rejected, Reply
from shared.messages.strategy import AlarmCleared, AlarmRaised, ClearAlarm, RaiseAlarm
from shared.wire.codec import Envelope

MOST_ALARMS = 100
"""Of one site: a program that gives each alarm a name of its own would fill the table."""


@dataclass(slots=True)
class AlarmsOfSite:
    """The alarms of one site by name, as they stand in this transaction."""

    site: str
    there: dict[str, Alarm]
    before: dict[str, Alarm] = field(init=False)

    def __post_init__(self) -> None:
        self.before = dict(self.there)

    @property
    def affecting(self) -> tuple[str, ...]:
        """Those that affect its management."""
        return tuple(sorted(name for name, alarm in self.there.items() if alarm.management_affecting))

    @property
    def affected(self) -> bool:
        """Whether any affected it before."""
        return any(alarm.management_affecting for alarm in self.before.values())

    def raise_(self, command: RaiseAlarm, by: str, now: datetime) -> Rejected | AlarmRaised | None:
        """Raise one; None = it was raised just so before."""
        known = self.there.get(command.alarm)
        if known is None and len(self.there) >= MOST_ALARMS:
            message = f"site '{self.site}' has {len(self.there)} alarms already; clear some, or raise one of them again"
            return Rejected.because("too_many_alarms", message, "alarm", command.alarm)
        said = (command.severity, command.management_affecting, command.text)
        if known is not None and known[:3] == said:
            return None
        alarm = self.there[command.alarm] = Alarm(*said, known.raised_at if known else now, by)
        facts = {"site": self.site, "alarm": command.alarm, "affecting": self.affecting, "by": by}
        return AlarmRaised.model_validate({**facts, **alarm._asdict()})

    def clear(self, command: ClearAlarm, by: str, now: datetime) -> Rejected | AlarmCleared:
        """Clear one."""
        if self.there.pop(command.alarm, None) is None:
            known = f"it has {', '.join(sorted(self.there)[:5])}" if self.there else "it has none"
            message = f"site '{self.site}' has no alarm '{command.alarm}'; {known}"
            return Rejected.because("unknown_alarm", message, "alarm", command.alarm)
        return AlarmCleared(site=self.site, alarm=command.alarm, affecting=self.affecting, at=now, by=by)


async def change_alarms(work: UnitOfWork, batch: Sequence[Envelope[RaiseAlarm | ClearAlarm]]) -> list[Reply]:
    """Raise and clear alarms, in their order: one may be cleared and raised again at once."""
    named = sorted({envelope.data.site for envelope in batch})
    found = await store.alarms.alarms_of(work.conn, named)
    sites = {name: AlarmsOfSite(name, there) for name, there in found.items()}
    outcomes = [_change(sites.get(envelope.data.site), envelope, work.now) for envelope in batch]
    changed = [site for site in sites.values() if site.there != site.before]
    if changed:
        await _keep(work, changed)
    told = [(o, e.root) for o, e in zip(outcomes, batch, strict=True) if isinstance(o, AlarmRaised | AlarmCleared)]
    emit_fleet(work, told)
    return [_reply(outcome, envelope) for outcome, envelope in zip(outcomes, batch, strict=True)]


def _change(
    site: AlarmsOfSite | None, envelope: Envelope[RaiseAlarm | ClearAlarm], now: datetime
) -> Rejected | AlarmRaised | AlarmCleared | None:
    command = envelope.data
    if site is None:
        return Rejected.because("unknown_site", f"there is no site '{command.site}'", "site", command.site)
    if isinstance(command, RaiseAlarm):
        return site.raise_(command, envelope.actor, now)
    return site.clear(command, envelope.actor, now)


def _reply(outcome: Rejected | AlarmRaised | AlarmCleared | None, envelope: Envelope[RaiseAlarm | ClearAlarm]) -> Reply:
    if isinstance(outcome, Rejected):
        return outcome
    return Accepted({"site": envelope.data.site, "alarm": envelope.data.alarm})


async def _keep(work: UnitOfWork, changed: Sequence[AlarmsOfSite]) -> None:
    raised = [
        (site.site, name, *alarm)
        for site in changed
        for name, alarm in site.there.items()
        if site.before.get(name) != alarm
    ]
    cleared = [(site.site, name) for site in changed for name in site.before.keys() - site.there.keys()]
    if raised:
        await store.alarms.put_alarms(work.conn, raised)
    if cleared:
        await store.alarms.delete_alarms(work.conn, cleared)
    await store.alarms.put_counts(work.conn, {site.site: len(site.affecting) for site in changed})
    if turned := [site.site for site in changed if site.affected != bool(site.affecting)]:
        await sites_changed(work, turned)
