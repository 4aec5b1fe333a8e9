"""Handlers for sites and groups."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.strategy_orchestrator import store
from services.strategy_orchestrator.fleet.changes import emit_fleet, resize
from services.strategy_orchestrator.fleet.drivers import unknown_drivers
from services.strategy_orchestrator.message_parts import parts_of_sites
from services.strategy_orchestrator.rollout.site_conditions import sites_changed
from services.strategy_orchestrator.rollout.unit_of_work import UnitOfWork
from services.strategy_orchestrator.store.sites import KnownSite
from shared.core.inbox import Accepted, Rejected, Reply
from shared.messages.base import Fault
from shared.messages.strategy import (
    RegisterSites,
    RemoveSites,
    Site,
    SitesChanged,
    SitesRemoved,
)
from shared.secret_references import faults_in
from shared.wire.codec import Envelope

SITES_AT_ONCE = 5_000
"""In one statement, so that a large import fills no memory."""


async def register_sites(tx: UnitOfWork, batch: Sequence[Envelope[RegisterSites]]) -> list[Reply]:
    """Add sites or replace what is known of them, all of a command or none. Of a site the last word counts."""
    groups = set(await store.groups.groups(tx.conn))
    known = await store.sites.known_sites(tx.conn, list({site.name for e in batch for site in e.data.sites}))
    alike = await store.sites.names_apart_by_case(tx.conn, list({s.name.lower() for e in batch for s in e.data.sites}))
    faults = [_site_faults(envelope.data, groups, known, alike) for envelope in batch]
    good = [envelope for envelope, wrong in zip(batch, faults, strict=True) if not wrong]
    sites = list({site.name: site for envelope in good for site in envelope.data.sites}.values())
    for start in range(0, len(sites), SITES_AT_ONCE):
        await store.sites.upsert_sites(tx.conn, sites[start : start + SITES_AT_ONCE])
    await resize(tx, [known[s.name].group for s in sites if s.name in known], [s.group for s in sites])
    events = [(SitesChanged(sites=part), e.root) for e in good for part in parts_of_sites(e.data.sites)]
    emit_fleet(tx, events)
    if turned := [site.name for site in sites if site.name in known and known[site.name].turns(site)]:
        await sites_changed(tx, turned)
    return [
        Rejected(tuple(wrong)) if wrong else Accepted(await _registered(tx, envelope.data.sites))
        for envelope, wrong in zip(batch, faults, strict=True)
    ]


async def _registered(tx: UnitOfWork, sites: Sequence[Site]) -> dict[str, Any]:
    warnings = await unknown_drivers(tx, sites)
    return {"sites": len(sites), "warnings": warnings} if warnings else {"sites": len(sites)}


def _site_faults(
    command: RegisterSites, groups: set[str], known: Mapping[str, KnownSite], alike: dict[str, str]
) -> list[Fault]:
    """All that is wrong with a command. `alike` knows names in lower case, and learns those of one that is right."""
    names = [site.name for site in command.sites]
    repeated = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    faults = []
    for index, site in enumerate(command.sites):
        if site.name in repeated:
            message = f"site '{site.name}' stands more than once in this list"
            faults.append(Fault(code="repeated_site", field=f"sites.{index}.name", message=message, value=site.name))
        if site.group is not None and site.group not in groups:
            message = f"there is no group '{site.group}'; create it first"
            faults.append(Fault(code="unknown_group", field=f"sites.{index}.group", message=message, value=site.group))
        if fault := _group_fault(f"sites.{index}.group", site, known.get(site.name)):
            faults.append(fault)
        faults += faults_in(site.connections, f"sites.{index}.connections")
    faults += _case_faults(names, alike)
    if not faults:
        alike.update({name.lower(): name for name in names})
    return faults


def _case_faults(names: Sequence[str], alike: Mapping[str, str]) -> list[Fault]:
    """Names that differ from that of another site only in case: people would take one for the other."""
    own: dict[str, str] = {}
    others = [alike.get(name.lower()) or own.setdefault(name.lower(), name) for name in names]
    return [
        Fault(
            code="site_exists",
            field=f"sites.{index}.name",
            message=f"'{name}' differs from site '{other}' only in case; write it like that, or take another name",
            value=name,
        )
        for index, (name, other) in enumerate(zip(names, others, strict=True))
        if name != other
    ]


def _group_fault(field: str, site: Site, known: KnownSite | None) -> Fault | None:
    """A site that a strategy holds keeps its group: the slots of groups are counted by it."""
    if known is None or not known.held_by or known.group == site.group:
        return None
    message = f"strategy {known.held_by} holds site '{site.name}', which keeps its group until the strategy has ended"
    return Fault(code="site_held", field=field, message=message, value=site.group)


async def remove_sites(tx: UnitOfWork, batch: Sequence[Envelope[RemoveSites]]) -> list[Reply]:
    """Forget sites that no strategy holds and where no operation runs, all of a command or none."""
    replies: list[Reply] = []
    for envelope in batch:
        names = envelope.data.names
        known = await store.sites.known_sites(tx.conn, names)
        if faults := [f for i, n in enumerate(names) if (f := _removal_fault(i, n, known.get(n)))]:
            replies.append(Rejected(tuple(faults)))
            continue
        await store.sites.delete_sites(tx.conn, names)
        await resize(tx, [site.group for site in known.values()], [])
        emit_fleet(tx, [(SitesRemoved(names=names), envelope.root)])
        await sites_changed(tx, names)
        replies.append(Accepted({"sites": len(names)}))
    return replies


def _removal_fault(index: int, name: str, site: KnownSite | None) -> Fault | None:
    field = f"names.{index}"
    if site is None:
        return Fault(code="unknown_site", field=field, message=f"there is no site '{name}'", value=name)
    if site.held_by:
        message = f"strategy {site.held_by} holds site '{name}'; abort it first"
        return Fault(code="site_held", field=field, message=message, value=name)
    if site.operation_id:
        message = f"operation {site.operation_id} runs on site '{name}'; wait for its end"
        return Fault(code="site_busy", field=field, message=message, value=name)
    return None
