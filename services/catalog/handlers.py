"""Commands to the catalog. Validation is long work: here it is only queued (validation.py does it)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.catalog import domain, store
from services.catalog.domain import Bundle, Release, State
from services.catalog.preparation.handlers import end_withdrawn, prepare
from shared.blobs import Blobs, Stored
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import Fault, Message
from shared.messages.catalog import PrepareRelease, PublishRelease, ReleaseWithdrawn, WithdrawRelease
from shared.messages.deployer import HostReported, ReleaseUnneeded
from shared.wire.codec import Envelope

VALIDATIONS = "validation"
"""The queue of bundles that wait for a worker; the id of a job is the bundle's digest."""


FREEING = "freeing"
"""The queue of contents that may be freed; the id of a job is the digest."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What bundles come in by: the store they lie in, and how many bytes one may have."""

    blobs: Blobs
    limit: int


async def publish(intake: Intake, tx: Transaction, envelopes: Sequence[Envelope[PublishRelease]]) -> Sequence[Reply]:
    """Take bundles in and queue their validation; a bundle known already is answered with what became of it."""
    digests = sorted({envelope.data.bundle_sha256 for envelope in envelopes})
    await store.lock_store(tx.conn, shared=True)  # what is found now is not freed before this transaction has ended
    found = dict(zip(digests, await asyncio.gather(*map(intake.blobs.find, digests)), strict=True))
    bundles = await store.lock_bundles(tx.conn, digests)
    replies: list[Reply] = []
    received: list[Envelope[PublishRelease]] = []
    for envelope in envelopes:
        digest = envelope.data.bundle_sha256
        before = bundles.get(digest, Bundle(digest))
        stored = found[digest]
        after = domain.receive(envelope.data, before, stored.size if stored else None, intake.limit)
        replies.append(_reply(after))
        if isinstance(after, Bundle):
            bundles[digest] = after
            if after.state != before.state:
                received.append(envelope)
    await _queue(tx, received, found)
    return replies


async def _queue(
    tx: Transaction, received: Sequence[Envelope[PublishRelease]], found: Mapping[str, Stored | None]
) -> None:
    if received:
        await store.receive_bundles(tx.conn, [envelope.data for envelope in received], found, tx.now)
        await tx.put_jobs(VALIDATIONS, [(e.data.bundle_sha256, _payload(e)) for e in received])


def _payload(envelope: Envelope[PublishRelease]) -> dict[str, object]:
    """What the worker must know to speak of the bundle, and on whose behalf."""
    return {
        "file_name": envelope.data.file_name,
        "bytes": envelope.data.bundle_bytes,
        "correlation_id": envelope.root,
        "actor": envelope.actor,
    }


def _reply(after: Bundle | Fault) -> Reply:
    if isinstance(after, Fault):
        return Rejected((after,))
    result = {"bundle_sha256": after.sha256, "state": str(after.state)}
    if after.state is State.AVAILABLE:
        result |= {"release_id": after.release_id or "", "app": after.app or "", "version": after.version or ""}
    return Accepted(result)


async def withdraw(_: Intake, tx: Transaction, envelopes: Sequence[Envelope[WithdrawRelease]]) -> Sequence[Reply]:
    """Take releases out of use."""
    commands = [envelope.data for envelope in envelopes]
    names = await store.as_published(tx.conn, {(c.app, c.version) for c in commands})
    releases = await store.lock_releases(tx.conn, sorted(set(names.values())))
    replies: list[Reply] = []
    reasons: dict[str, str] = {}
    withdrawn: dict[str, tuple[Release, Envelope[WithdrawRelease]]] = {}
    for envelope in envelopes:
        command = envelope.data
        name = names[command.app, command.version]
        after = domain.withdraw(command, releases.get(name))
        if isinstance(after, Release):
            releases[name] = after
            reasons[after.id] = command.reason
            withdrawn[after.bundle_sha256] = after, envelope
            _tell_withdrawn(tx, after, envelope)
            replies.append(Accepted({"release_id": after.id}))
        else:
            replies.append(Rejected((after,)))
    if reasons:
        await store.withdraw_releases(tx.conn, reasons, tx.now)
        await end_withdrawn(tx, withdrawn)
    return replies


def _tell_withdrawn(tx: Transaction, release: Release, envelope: Envelope[WithdrawRelease]) -> None:
    event = ReleaseWithdrawn(
        release_id=release.id, app=release.app, version=release.version, reason=envelope.data.reason
    )
    tx.emit(event, sequence=release.sequence, cause=envelope)


async def learn_hosts(_: Intake, tx: Transaction, events: Sequence[Envelope[HostReported]]) -> None:
    """Bundles must be installable on these from now on; what is said last of a host counts."""
    last = {event.data.host: (event.data, event.time) for event in events}
    await store.put_hosts(tx.conn, list(last.values()))


async def note_unneeded(_: Intake, tx: Transaction, events: Sequence[Envelope[ReleaseUnneeded]]) -> None:
    """No site could go back to these withdrawn releases: their bundles are freed, when they are due."""
    await store.note_unneeded(tx.conn, sorted({event.data.bundle_sha256 for event in events}), tx.now)
    await tx.put_jobs(FREEING, [(digest, {}) for digest in sorted({e.data.bundle_sha256 for e in events})])


CatalogHandler = Callable[[Intake, Transaction, Sequence[Envelope[Any]]], Awaitable[Sequence[Reply] | None]]

HANDLERS: dict[type[Message], CatalogHandler] = {
    PublishRelease: publish,
    WithdrawRelease: withdraw,
    PrepareRelease: prepare,
    HostReported: learn_hosts,
    ReleaseUnneeded: note_unneeded,
}
