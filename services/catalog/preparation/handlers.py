"""Commands about preparations. The work itself is long, and only queued here (worker.py does it)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.catalog import store as releases
from services.catalog.domain import Release
from services.catalog.preparation import domain, store
from services.catalog.preparation.domain import Preparation, State
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import Cause, Fault
from shared.messages.catalog import PreparationBegun, PreparationFailed, PrepareRelease
from shared.wire.codec import Envelope

PREPARATIONS = "preparation"
"""The queue of releases that are to be prepared; the id of a job is the digest of the bundle."""


async def prepare(_: object, tx: Transaction, envelopes: Sequence[Envelope[PrepareRelease]]) -> Sequence[Reply]:
    """Have releases prepared; one that is, or is about to be, is answered so."""
    names = await releases.as_published(tx.conn, {(e.data.app, e.data.version) for e in envelopes})
    known = await releases.lock_releases(tx.conn, sorted(set(names.values())))
    before = await store.lock_preparations(tx.conn, sorted(release.bundle_sha256 for release in known.values()))
    after, asked = dict(before), dict[str, tuple[Release, Envelope[PrepareRelease]]]()
    replies: list[Reply] = []
    for envelope in envelopes:
        release = known.get(names[envelope.data.app, envelope.data.version])
        digest = release.bundle_sha256 if release else ""
        found = domain.ask(envelope.data, release, after.get(digest, Preparation()))
        replies.append(_reply(found, release))
        if release and isinstance(found, Preparation):
            after[digest] = found
            if domain.tells_again(found, envelope.data.on_behalf, tx.now):
                await _tell_prepared(tx, release, envelope)
            asked.setdefault(digest, (release, envelope))
        elif release and isinstance(found, Fault) and (on_behalf := envelope.data.on_behalf):
            await _tell_again(tx, release, domain.cause_again(found, after.get(digest)), envelope, on_behalf)
    if changed := {digest: one for digest, one in after.items() if one != before.get(digest)}:
        await store.ask_for_preparations(tx.conn, changed, tx.now)
    new = [d for d, one in changed.items() if one.state is State.PREPARING and _was(before, d) is not State.PREPARING]
    await _begin(tx, {digest: asked[digest] for digest in new})
    return replies


async def _begin(tx: Transaction, new: Mapping[str, tuple[Release, Envelope[PrepareRelease]]]) -> None:
    if not new:
        return
    await tx.put_jobs(PREPARATIONS, [(digest, _payload(envelope)) for digest, (_, envelope) in new.items()])
    sequences = await store.count_tellings(tx.conn, sorted(new))
    for digest, (release, envelope) in new.items():
        event = PreparationBegun(app=release.app, version=release.version, bundle_sha256=digest, begun_at=tx.now)
        tx.emit(event, sequence=sequences[digest], cause=envelope)


def _was(before: Mapping[str, Preparation], digest: str) -> State | None:
    return before[digest].state if digest in before else None


def _payload(envelope: Envelope[PrepareRelease]) -> dict[str, object]:
    """What the worker must know to speak of it, and on whose behalf."""
    return {"correlation_id": envelope.root, "actor": envelope.actor}


def _reply(found: Preparation | Fault, release: Release | None) -> Reply:
    if isinstance(found, Fault) or release is None:
        return Rejected((found,) if isinstance(found, Fault) else ())
    about = {"release_id": release.id, "bundle_sha256": release.bundle_sha256}
    return Accepted({**about, "version": release.version, "state": str(found.state)})


async def end_withdrawn(tx: Transaction, withdrawn: Mapping[str, tuple[Release, Envelope[Any]]]) -> None:
    """What is under way for these releases, by the digests of their bundles, is not wanted any more: say so now.

    Whoever works on it finds out with its next blob.
    """
    asking = await store.settle_failed(tx.conn, sorted(withdrawn), domain.WITHDRAWN, tx.now)
    sequences = await store.count_tellings(tx.conn, sorted(asking))
    for digest, on_behalf in sorted(asking.items()):
        release, envelope = withdrawn[digest]
        event = failure(release, domain.WITHDRAWN, on_behalf, tx.now)
        tx.emit(event, sequence=sequences[digest], cause=envelope)


async def _tell_again(
    tx: Transaction, release: Release, cause: Cause, envelope: Envelope[PrepareRelease], on_behalf: str
) -> None:
    """Who asks and waits for an event, and for whom nothing will be prepared, hears why."""
    sequences = await store.count_tellings(tx.conn, [release.bundle_sha256])
    event = failure(release, cause, (on_behalf,), tx.now)
    tx.emit(event, sequence=sequences[release.bundle_sha256], cause=envelope)


async def _tell_prepared(tx: Transaction, release: Release, envelope: Envelope[PrepareRelease]) -> None:
    event = await store.read_prepared(tx.conn, release)
    sequences = await store.count_tellings(tx.conn, [release.bundle_sha256])
    tx.emit(event, sequence=sequences[release.bundle_sha256], cause=envelope)


def failure(release: Release, cause: Cause, on_behalf: tuple[str, ...], now: datetime) -> PreparationFailed:
    """What is told of a preparation that failed."""
    return PreparationFailed(
        app=release.app,
        version=release.version,
        bundle_sha256=release.bundle_sha256,
        cause=cause,
        on_behalf=on_behalf,
        failed_at=now,
    )
