"""Commands to delete releases, and what the deployer says of their use."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from services.catalog import domain
from services.catalog import store as releases
from services.catalog.deletion import store
from services.catalog.deletion.store import Deletion
from services.catalog.domain import Release, State
from services.catalog.preparation.handlers import end_withdrawn
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import Cause, Fault
from shared.messages.catalog import (
    DeleteRelease,
    ReleaseDeleted,
    ReleaseDeleting,
    ReleaseDeletionRefused,
    ReleaseWithdrawn,
)
from shared.messages.deployer import ReleaseUseReported
from shared.wire.codec import Envelope

FREEING = "freeing"
"""The queue of contents that may be freed; the id of a job is the digest."""

DELETED = Cause(code="release_deleted", message="the release was deleted")


async def delete(_: object, tx: Transaction, envelopes: Sequence[Envelope[DeleteRelease]]) -> Sequence[Reply]:
    """Ask whether releases are needed. Asked again meanwhile, it is the same deletion."""
    names = await releases.as_published(tx.conn, {(e.data.app, e.data.version) for e in envelopes})
    known = await releases.lock_releases(tx.conn, sorted(set(names.values())))
    return [
        await _ask(tx, envelope, known.get(names[envelope.data.app, envelope.data.version])) for envelope in envelopes
    ]


async def _ask(tx: Transaction, envelope: Envelope[DeleteRelease], release: Release | None) -> Reply:
    after = domain.delete(envelope.data, release)
    if isinstance(after, Fault):
        return Rejected((after,))
    reason = envelope.data.reason
    if await store.ask(tx.conn, after.bundle_sha256, envelope.id, reason, envelope.root, envelope.actor):
        event = ReleaseDeleting(
            deletion=envelope.id,
            release_id=after.id,
            app=after.app,
            version=after.version,
            bundle_sha256=after.bundle_sha256,
            reason=reason,
        )
        tx.emit(event, cause=envelope)
    return Accepted({"release_id": after.id, "app": after.app, "version": after.version, "state": "deleting"})


async def decide(_: object, tx: Transaction, events: Sequence[Envelope[ReleaseUseReported]]) -> None:
    """What is needed stays; what is not goes. In order of the bundles, as everybody locks them."""
    bundles = [(await store.bundle_of(tx.conn, event.data.deletion), event) for event in events]
    for sha256, event in sorted(((sha256, e) for sha256, e in bundles if sha256), key=itemgetter(0)):
        await _decide(tx, sha256, event)


async def _decide(tx: Transaction, sha256: str, event: Envelope[ReleaseUseReported]) -> None:
    # The bundle before the deletion: whoever asks for one holds the bundle, and then puts it.
    release = await releases.find_release_of(tx.conn, sha256)
    deletion = await store.end(tx.conn, event.data.deletion)
    if release is None or deletion is None:
        return
    if event.data.needed:
        _refuse(tx, release, deletion, event)
    else:
        await _remove(tx, release, deletion, event)


def _refuse(tx: Transaction, release: Release, deletion: Deletion, event: Envelope[ReleaseUseReported]) -> None:
    told = ReleaseDeletionRefused(
        deletion=event.data.deletion,
        release_id=release.id,
        app=release.app,
        version=release.version,
        cause=domain.needed(event.data),
    )
    tx.emit(told, correlation_id=deletion.correlation_id, actor=deletion.actor)


async def _remove(tx: Transaction, release: Release, deletion: Deletion, event: Envelope[Any]) -> None:
    await end_withdrawn(tx, {release.bundle_sha256: (release, event)})
    removed = await store.remove(tx.conn, release, DELETED, tx.now)
    if removed is None:
        return
    named = {"release_id": release.id, "app": release.app, "version": release.version, "reason": deletion.reason}
    facts: Any = {"correlation_id": deletion.correlation_id, "actor": deletion.actor}
    if release.state is State.AVAILABLE:
        tx.emit(ReleaseWithdrawn(**named), sequence=removed.sequence - 1, **facts)
    gone = ReleaseDeleted(**named, bundle_sha256=release.bundle_sha256, app_gone=removed.app_gone)
    tx.emit(gone, sequence=removed.sequence, **facts)
    await tx.put_jobs(FREEING, [(release.bundle_sha256, {})])
