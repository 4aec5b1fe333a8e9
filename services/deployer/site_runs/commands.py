"""All apps of a site are asked for at once, and runs are stopped. Such commands are few: each in its turn."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from services.deployer.dependencies import store as dependencies
from services.deployer.dependencies.choosing import Wish, lacking
from services.deployer.dependencies.needs import Surroundings
from services.deployer.domain import Facts
from services.deployer.site_runs import store
from services.deployer.site_runs.planning import Item, Run, ordered, with_needs
from services.deployer.site_runs.reporting import report
from services.deployer.site_runs.store import Held, Origin
from services.deployer.store import Store
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.automatic import MOST_APPS
from shared.messages.base import Fault
from shared.messages.deployer import CancelAll, RequestAll
from shared.messages.rules import Rules
from shared.wire.codec import Envelope

NOW = timedelta(0)


async def request_all(tx: Transaction, envelopes: Sequence[Envelope[RequestAll]]) -> list[Reply]:
    """Begin runs over all apps of sites."""
    return [await _request(tx, envelope) for envelope in envelopes]


async def _request(tx: Transaction, envelope: Envelope[RequestAll]) -> Reply:
    command = envelope.data
    (facts,) = await Store(tx.conn).facts([(command.site, "")])
    around = (await dependencies.surroundings(tx.conn, [command.site])).get(command.site, Surroundings())
    if faults := _faults(command, facts, around):
        return Rejected(tuple(faults))
    run, origin = _run(envelope, around, await _rules(tx, command, around)), _origin(envelope)
    if not await store.insert_runs(tx.conn, [(run, origin)], tx.now):
        return Rejected.because("site_busy", f"a run goes on '{command.site}' already; wait for its end", "site")
    held = report(tx, Held(run, origin, tx.now, 0))
    await store.put_runs(tx.conn, [(held, NOW)], tx.now)
    return Accepted({"run_id": run.id, "apps": [item.app for item in run.items]})


def _faults(command: RequestAll, facts: Facts, around: Surroundings) -> list[Fault]:
    site = command.site
    if facts.site is None:
        return [_fault("unknown_site", "site", f"there is no site '{site}'; register it first", site)]
    faults = []
    if facts.busy_with:
        message = f"operation {facts.busy_with} runs on '{site}'; wait for its end or cancel it"
        faults.append(_fault("site_busy", "site", message, site))
    if facts.held_by:
        message = f"strategy '{facts.held_by[1]}' ({facts.held_by[0]}) holds '{site}' until it ends"
        faults.append(_fault("site_held", "site", message, site))
    for place, app in enumerate(command.apps):
        if app not in around.apps:
            faults.append(_fault("nothing_deployed", f"apps.{place}", f"'{app}' is not deployed on '{site}'", app))
    if not around.apps:
        faults.append(_fault("nothing_deployed", "site", f"no app is deployed on '{site}'", site))
    if len(around.apps) > MOST_APPS and not command.apps:
        message = f"'{site}' has {len(around.apps)} apps; name at most {MOST_APPS} of them"
        faults.append(_fault("too_many_apps", "apps", message, len(around.apps)))
    return faults


def _fault(code: str, field: str, message: str, value: object) -> Fault:
    return Fault(code=code, field=field, message=message, value=value)


async def _rules(tx: Transaction, command: RequestAll, around: Surroundings) -> dict[str, Rules]:
    """Of each app that takes part; of an update with what its newest release needs: what that lacks goes before it."""
    wanted = set(command.apps) or around.apps.keys()
    there = {app: present for app, present in around.apps.items() if app in wanted}
    if command.kind != "update":
        return {app: present.rules for app, present in there.items()}
    releases = await dependencies.releases_of(tx.conn, there)
    wish = Wish(command.site, frozenset(), around, command.prereleases)
    return {app: with_needs(each.rules, lacking(releases.get(app, ()), each, wish)) for app, each in there.items()}


def _run(envelope: Envelope[RequestAll], around: Surroundings, rules: Mapping[str, Rules]) -> Run:
    command = envelope.data
    order = ordered(rules, back=command.kind == "rollback")
    items = tuple(
        Item(position, app, command.kind, from_version=around.apps[app].version) for position, app in enumerate(order)
    )
    return Run(envelope.id, command.site, command.kind, "running", items, command.on_failure == "go_on")


def _origin(envelope: Envelope[RequestAll]) -> Origin:
    command = envelope.data
    return Origin(command.prereleases, command.timeout_seconds, None, envelope.actor, envelope.root)


async def cancel_all(tx: Transaction, envelopes: Sequence[Envelope[CancelAll]]) -> list[Reply]:
    """Have runs stopped: what they do now is turned back, and nothing more is begun."""
    known = await store.find_runs(tx.conn, [envelope.data.run_id for envelope in envelopes])
    replies = [_may_cancel(envelope.data, known.get(envelope.data.run_id)) for envelope in envelopes]
    reasons = {
        envelope.data.run_id: envelope.data.reason or "cancelled on request"
        for envelope, reply in zip(envelopes, replies, strict=True)
        if isinstance(reply, Accepted)
    }
    if reasons:
        await store.stop_runs(tx.conn, reasons)
    return replies


def _may_cancel(command: CancelAll, known: tuple[str, bool] | None) -> Reply:
    if known is None or known[0] != command.site:
        message = f"there is no run {command.run_id} on '{command.site}'"
        return Rejected.because("unknown_run", message, "run_id", command.run_id)
    if known[1]:
        return Rejected.because("already_finished", f"run {command.run_id} has ended already", "run_id", command.run_id)
    return Accepted({"run_id": command.run_id})
