"""Releases and what became of their bundles."""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.as_json import text
from services.gateway.resources.bundles import store as bundles
from services.gateway.resources.bundles.store import BundleRow
from services.gateway.resources.releases import store as releases
from services.gateway.resources.releases.store import DeletionRow, PreparationRow, ReleaseRow, WithdrawnRow
from shared.core.gone import first_ends, of_the_living
from shared.messages import catalog
from shared.wire.codec import Envelope


async def learn_releases(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Releases and their bundles. A deletion takes away what was said before it, and nothing of what follows."""
    for part in _up_to_deletions(events):
        await _learn(tx, await of_the_living(tx.conn, part))
        await _forget_deleted(tx, part)


def _up_to_deletions(events: Sequence[Envelope[Any]]) -> Iterator[list[Envelope[Any]]]:
    """Runs of events that end with deletions; those that follow each other are in one."""
    part: list[Envelope[Any]] = []
    ended = False
    for event in events:
        deletes = isinstance(event.data, catalog.ReleaseDeleted)
        if ended and not deletes:
            yield part
            part = []
        part.append(event)
        ended = deletes
    if part:
        yield part


async def _learn(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Available and withdrawn releases, and what became of the bundles and of what is prepared."""
    available = {(r.app, r.version): r for r in map(_release, events) if r}
    withdrawn = {(r.app, r.version): r for r in map(_withdrawn, events) if r}
    deletions = {(d.app, d.version): d for d in map(_deletion, _since_available(events)) if d}
    looked_at = {b.bundle_sha256: b for b in map(_bundle, events) if b}
    await releases.put_releases(tx.conn, list(available.values()))
    await releases.withdraw_releases(tx.conn, list(withdrawn.values()))
    await releases.put_deletions(tx.conn, list(deletions.values()))
    await bundles.put_bundles(tx.conn, list(looked_at.values()))
    prepared = {(p.app, p.version): p for p in sorted(filter(None, map(_preparation, events)), key=attrgetter("seq"))}
    await releases.put_preparations(tx.conn, list(prepared.values()))


async def _forget_deleted(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Releases that are gone, each once."""
    ends = [event for event in events if isinstance(event.data, catalog.ReleaseDeleted)]
    if ends and (ends := await first_ends(tx.conn, ends)):
        await releases.delete_releases(tx.conn, [(end.data.app, end.data.version) for end in ends])
        await bundles.delete_bundles(tx.conn, [end.data.bundle_sha256 for end in ends])


def _since_available(events: Sequence[Envelope[Any]]) -> list[Envelope[Any]]:
    """Those that no later event makes void: a release that is available anew is not to be deleted any more."""
    anew = {_name(event): n for n, event in enumerate(events) if isinstance(event.data, catalog.ReleaseAvailable)}
    return [event for n, event in enumerate(events) if n > anew.get(_name(event), -1)]


def _name(event: Envelope[Any]) -> tuple[str | None, str | None]:
    return getattr(event.data, "app", None), getattr(event.data, "version", None)


def _release(event: Envelope[Any]) -> ReleaseRow | None:
    if not isinstance(r := event.data, catalog.ReleaseAvailable):
        return None
    named = r.model_dump(include={"app", "version", "release_id", "scheme", "description"})
    return ReleaseRow(
        **named,
        bundle_sha256=r.bundle_sha256,
        bundle_bytes=r.bundle_bytes,
        upgrades_from=None if r.upgrades_from is None else text(r.upgrades_from),
        components=text([component.model_dump(mode="json") for component in r.components]),
        max_parallel=r.max_parallel_components,
        requires=r.requires.model_dump_json(),
        rules=r.rules.model_dump_json(),
        images=text(r.images),
        notices=text(r.notices),
        signature=r.signature.model_dump_json() if r.signature else None,
        origin=r.origin.model_dump_json() if r.origin else None,
        published_at=r.published_at,
        seq=event.sequence,
        at=event.time,
    )


def _withdrawn(event: Envelope[Any]) -> WithdrawnRow | None:
    if not isinstance(r := event.data, catalog.ReleaseWithdrawn):
        return None
    return WithdrawnRow(r.app, r.version, event.sequence, event.time)


def _deletion(event: Envelope[Any]) -> DeletionRow | None:
    d = event.data
    if isinstance(d, catalog.ReleaseDeleting):
        return DeletionRow(d.app, d.version, text({"state": "asked", "cause": None, "at": event.time.isoformat()}))
    if isinstance(d, catalog.ReleaseDeletionRefused):
        told = {"state": "refused", "cause": d.cause.model_dump(), "at": event.time.isoformat()}
        return DeletionRow(d.app, d.version, text(told))
    return None


def _bundle(event: Envelope[Any]) -> BundleRow | None:
    r = event.data
    if isinstance(r, catalog.ReleaseAvailable):
        return BundleRow(r.bundle_sha256, "", "available", r.app, r.version, "[]", event.time)
    if isinstance(r, catalog.ReleaseRejected):
        faults = text([fault.model_dump(mode="json") for fault in r.faults])
        return BundleRow(r.bundle_sha256, r.file_name, "rejected", r.app, r.version, faults, event.time)
    return None


def _preparation(event: Envelope[Any]) -> PreparationRow | None:
    p = event.data
    if isinstance(p, catalog.PreparationBegun):
        return PreparationRow(p.app, p.version, "preparing", None, None, "[]", "[]", None, p.begun_at, event.sequence)
    if isinstance(p, catalog.PreparationFailed):
        cause = p.cause.model_dump_json()
        return PreparationRow(p.app, p.version, "failed", None, None, "[]", "[]", cause, p.failed_at, event.sequence)
    if isinstance(p, catalog.ReleasePrepared):
        content, notes = (text([one.model_dump(mode="json") for one in listed]) for listed in (p.content, p.notes))
        site_bytes = sum({item.sha256: item.bytes for item in p.content}.values())
        return PreparationRow(
            p.app, p.version, "prepared", p.bytes, site_bytes, content, notes, None, p.prepared_at, event.sequence
        )
    return None


KINDS = (
    catalog.ReleaseAvailable,
    catalog.ReleaseRejected,
    catalog.ReleaseWithdrawn,
    catalog.ReleaseDeleting,
    catalog.ReleaseDeletionRefused,
    catalog.ReleaseDeleted,
    catalog.PreparationBegun,
    catalog.ReleasePrepared,
    catalog.PreparationFailed,
)
