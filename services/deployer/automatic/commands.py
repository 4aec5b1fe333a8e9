"""People say how apps behave, and clear releases that failed. There are few such commands: each in its turn."""

from collections.abc import Sequence

from services.deployer.automatic import store, survey_store
from services.deployer.automatic.behaviour import changed, contradictions
from services.deployer.automatic.store import Standing
from services.deployer.automatic.triggers import Occurrence
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import Fault
from shared.messages.deployer import (
    BehaviourChanged,
    ClearFailedRelease,
    FailedReleaseChanged,
    ReapplyApp,
    SetAppBehaviour,
)
from shared.messages.triggers import ON_DEMAND
from shared.wire.codec import Envelope


async def set_behaviours(tx: Transaction, envelopes: Sequence[Envelope[SetAppBehaviour]]) -> list[Reply]:
    """Switch what is done by itself with apps, in the order of the commands."""
    return [await _set_behaviour(tx, envelope) for envelope in envelopes]


async def _set_behaviour(tx: Transaction, envelope: Envelope[SetAppBehaviour]) -> Reply:
    command = envelope.data
    if faults := await _faults(tx, command):
        return Rejected(tuple(faults))
    said = await store.said_of(tx.conn, command.app)
    switches, nth = changed(said.switches, command.switches, command.as_released), said.nth + 1
    await store.put_behaviour(tx.conn, command.app, switches, nth)
    told = {"at": tx.now, "by": envelope.actor, "reason": command.reason}
    await survey_store.clear_wishes(tx.conn, command.app)
    await survey_store.look_soon(tx.conn)
    event = BehaviourChanged(app=command.app, switches=switches, nth=nth, **told)
    tx.emit(event, sequence=nth, correlation_id=envelope.root)
    return Accepted({"app": command.app, "nth": nth})


async def _faults(tx: Transaction, command: SetAppBehaviour) -> list[Fault]:
    faults = [] if await store.app_known(tx.conn, command.app) else [_unknown_app(command.app)]
    for name in contradictions(command.switches, command.as_released):
        message = f"`{name}` is set and taken back at once; give one of the two"
        faults.append(Fault(code="invalid_field", field="as_released", message=message, value=name))
    if not command.as_released and not command.switches.model_dump(exclude_none=True):
        message = "says nothing: set a switch, or take one back with `as_released`"
        faults.append(Fault(code="missing_field", field="switches", message=message))
    return faults


def _unknown_app(app: str) -> Fault:
    return Fault(code="unknown_app", field="app", message=f"no release of '{app}' was ever published", value=app)


async def clear_failed(
    threshold: int, tx: Transaction, envelopes: Sequence[Envelope[ClearFailedRelease]]
) -> list[Reply]:
    """Let releases be chosen again that failed."""
    return [await _clear(threshold, tx, envelope) for envelope in envelopes]


async def _clear(threshold: int, tx: Transaction, envelope: Envelope[ClearFailedRelease]) -> Reply:
    command = envelope.data
    if not await store.release_known(tx.conn, command.app, command.version):
        message = f"there is no release {command.version} of '{command.app}'"
        return Rejected.because("unknown_release", message, "version", command.version)
    standing = await store.clear_failures(tx.conn, command.app, command.version, command.sites)
    # What was given up may have touched no site, and counts against no release then: it is tried again all the same.
    again = await survey_store.clear_wishes(tx.conn, command.app)
    if standing is None and not again:
        return _not_failed(command)
    await survey_store.look_soon(tx.conn)
    if standing:
        tell(tx, standing, threshold, cleared_by=envelope.actor or "somebody", root=envelope.root)
    failures = await store.failures_of(tx.conn, command.app, command.version)
    return Accepted({"app": command.app, "version": command.version, "failures": failures})


def _not_failed(command: ClearFailedRelease) -> Rejected:
    where = f" on {', '.join(command.sites[:10])}" if command.sites else ""
    message = f"release {command.version} of '{command.app}' is not known to have failed{where}"
    return Rejected.because("not_failed", message, "version", command.version)


async def reapply_apps(tx: Transaction, envelopes: Sequence[Envelope[ReapplyApp]]) -> list[Reply]:
    """Have apps applied again where they run."""
    return [await _reapply(tx, envelope.data) for envelope in envelopes]


async def _reapply(tx: Transaction, command: ReapplyApp) -> Reply:
    if not await store.app_known(tx.conn, command.app):
        return Rejected((_unknown_app(command.app),))
    if command.event and command.app not in await survey_store.apps_with_triggers(tx.conn):
        return Accepted({"app": command.app, "sites": 0})
    sites = await survey_store.wish_where_deployed(tx.conn, command.sites, [command.app], _occurred(command), tx.now)
    if not sites and not command.event:
        message = f"'{command.app}' runs on none of these sites"
        return Rejected.because("nothing_deployed", message, "sites" if command.sites else "app", command.app)
    return Accepted({"app": command.app, "sites": sites})


def _occurred(command: ReapplyApp) -> Occurrence:
    """What happened; whether that has the app applied again is judged when its turn comes, by what is switched then."""
    if command.event is None:
        return Occurrence(ON_DEMAND, command.reason or "somebody asked for it")
    carries = {name: [value] for name, value in command.carries.items()}
    return Occurrence(command.event, command.reason or f"somebody told of {command.event}", carries)


def tell(tx: Transaction, standing: Standing, threshold: int, *, cleared_by: str = "", root: str = "") -> None:
    """Say how a release stands that failed or was cleared."""
    event = FailedReleaseChanged(
        app=standing.app,
        version=standing.version,
        failures=standing.failures,
        barred=standing.failures >= threshold,
        sites=standing.last,
        nth=standing.nth,
        at=tx.now,
        cleared_by=cleared_by,
    )
    tx.emit(event, sequence=standing.nth, correlation_id=root)
