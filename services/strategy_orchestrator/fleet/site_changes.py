"""The handler that changes single facts of sites: of one, or of all that a selection means."""

from collections.abc import Sequence

from services.strategy_orchestrator import store
from services.strategy_orchestrator.fleet.changes import emit_fleet, resize
from services.strategy_orchestrator.fleet.drivers import unknown_drivers
from services.strategy_orchestrator.message_parts import parts_of_sites
from services.strategy_orchestrator.rollout.site_conditions import sites_changed
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.strategies.site import Candidate
from shared.core.inbox import Accepted, Rejected, Reply
from shared.messages.base import Fault, some_of
from shared.messages.strategy import ChangeSites, Site, SitesChanged
from shared.secret_references import faults_in, faults_of_references
from shared.wire.codec import Envelope

MOST_LABELS = 64
"""As a site may have when it is registered."""


async def change_sites(tx: UnitOfWork, batch: Sequence[Envelope[ChangeSites]]) -> list[Reply]:
    """Change sites, all of a command's selection or none."""
    return [await _change(tx, envelope) for envelope in batch]


async def _change(tx: UnitOfWork, envelope: Envelope[ChangeSites]) -> Reply:
    change = envelope.data
    if change.selection.empty:
        message = "names no sites, groups or labels; set `all` to mean the whole fleet"
        return Rejected.because("empty_selection", message, "selection")
    sites = await store.sites.candidates(tx.conn, "", change.selection)
    if faults := await _faults(tx, change, sites):
        return Rejected(tuple(faults))
    changed = await store.sites.change_sites(tx.conn, [site.name for site in sites], change)
    await resize(tx, [site.group for site in sites], [site.group for site in changed])
    events = [SitesChanged.model_construct(sites=sites) for sites in parts_of_sites(changed)]
    emit_fleet(tx, [(event, envelope.root) for event in events])
    if turned := _turned(sites, changed):
        await sites_changed(tx, turned)
    named = [site for site in changed if site.connections.keys() & change.connections.keys()]
    warnings = await unknown_drivers(tx, named)
    return Accepted({"sites": len(changed)} | ({"warnings": warnings} if warnings else {}))


def _turned(before: Sequence[Candidate], after: Sequence[Site]) -> list[str]:
    """Those that strategies may treat in another way now."""
    was = {site.name: (site.managed, site.maintenance) for site in before}
    return [site.name for site in after if was[site.name] != (site.managed, site.maintenance)]


async def _faults(tx: UnitOfWork, change: ChangeSites, sites: Sequence[Candidate]) -> list[Fault]:
    groups = await store.groups.groups(tx.conn)
    named = [("group", change.group)] if change.group else []
    named += [(f"selection.groups.{i}", name) for i, name in enumerate(change.selection.groups)]
    named += [(f"selection.exclude.groups.{i}", name) for i, name in enumerate(change.selection.exclude.groups)]
    faults = [_unknown("group", field, name) for field, name in named if name not in groups]
    faults += [*faults_in(change.connections, "connections"), *faults_of_references(change.params, "params")]
    there = {site.name for site in sites}
    gone = [(i, name) for i, name in enumerate(change.selection.sites) if name not in there]
    faults += some_of(gone, lambda place: _unknown("site", f"selection.sites.{place[0]}", place[1]))
    if not faults and not sites:
        faults.append(Fault(code="empty_selection", field="selection", message="the selection matches no site"))
    held = [site for site in sites if site.held_by and _regroups(change, site)]
    return faults + some_of(held, _held) + some_of([site for site in sites if _overloads(change, site)], _overloaded)


def _unknown(kind: str, field: str, name: str | None) -> Fault:
    message = f"there is no {kind} '{name}', or the rest of the selection keeps it out"
    return Fault(code=f"unknown_{kind}", field=field, message=message, value=name)


def _regroups(change: ChangeSites, site: Candidate) -> bool:
    return site.group is not None if change.ungroup else change.group not in (None, site.group)


def _held(site: Candidate) -> Fault:
    message = f"strategy {site.held_by} holds site '{site.name}', which keeps its group until the strategy has ended"
    return Fault(code="site_held", field="group", message=message, value=site.name)


def _overloads(change: ChangeSites, site: Candidate) -> bool:
    return len((site.labels.keys() - set(change.unlabel)) | change.labels.keys()) > MOST_LABELS


def _overloaded(site: Candidate) -> Fault:
    message = f"site '{site.name}' would have more than {MOST_LABELS} labels"
    return Fault(code="too_many_labels", field="labels", message=message, value=site.name)
