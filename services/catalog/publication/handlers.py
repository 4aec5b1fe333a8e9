"""Commands to publish. Fetching and validation are long work: here they are only queued."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.catalog import domain, store
from services.catalog.domain import Bundle, State
from services.catalog.publication import domain as publishing
from services.catalog.publication import store as publications
from services.catalog.publication.domain import Import, Outcome, Publication, published_as, settled
from shared.blobs import Blobs, Stored
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import Fault
from shared.messages.catalog import ImportBundle, PublishRelease
from shared.wire.codec import Envelope

VALIDATIONS = "validation"
"""The queue of bundles that wait for a worker; the id of a job is the bundle's digest."""

IMPORTS = "import"
"""The queue of what is to be fetched; the id of a job is that of its command."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What bundles come in by: the store they lie in, and how many bytes one may have."""

    blobs: Blobs
    limit: int
    plain: bool = False
    """Whether they may be fetched without TLS."""


async def publish(intake: Intake, tx: Transaction, envelopes: Sequence[Envelope[PublishRelease]]) -> Sequence[Reply]:
    """Take bundles in and queue their validation; a bundle known already is answered with what became of it."""
    digests = sorted({envelope.data.bundle_sha256 for envelope in envelopes})
    await store.lock_store(tx.conn, shared=True)  # what is found now is not freed before this transaction has ended
    found = dict(zip(digests, await asyncio.gather(*map(intake.blobs.find, digests)), strict=True))
    bundles = await store.lock_bundles(tx.conn, digests)
    replies: list[Reply] = []
    received: list[Envelope[PublishRelease]] = []
    waiting: list[tuple[str, Publication]] = []
    for envelope in envelopes:
        digest = envelope.data.bundle_sha256
        before = bundles.get(digest, Bundle(digest))
        stored = found[digest]
        after = _named(
            envelope.data, domain.receive(envelope.data, before, stored.size if stored else None, intake.limit)
        )
        replies.append(_reply(after))
        if isinstance(after, Fault):
            continue
        bundles[digest] = after
        if after.state != before.state:
            received.append(envelope)
        if after.state is State.VALIDATING:
            waiting.append((digest, _publication(envelope)))
        else:
            tx.emit(settled(_publication(envelope), _outcome(after)), sequence=1, cause=envelope)
    await _queue(tx, received, found)
    if waiting:
        await publications.add_publications(tx.conn, waiting, tx.now)
    return replies


def _named(command: PublishRelease, after: Bundle | Fault) -> Bundle | Fault:
    """Content that is published already goes by one name only."""
    if isinstance(after, Fault) or after.state is not State.AVAILABLE:
        return after
    return published_as(Publication("", command.app, command.version), _outcome(after)) or after


def _outcome(bundle: Bundle) -> Outcome:
    return Outcome(bundle.sha256, State.AVAILABLE, bundle.app, bundle.version)


def _publication(envelope: Envelope[PublishRelease]) -> Publication:
    command = envelope.data
    return Publication(envelope.id, command.app, command.version, envelope.root, envelope.actor)


async def import_bundles(
    intake: Intake, tx: Transaction, envelopes: Sequence[Envelope[ImportBundle]]
) -> Sequence[Reply]:
    """Queue what is to be fetched; what lies in the blob store is published from there at once."""
    replies: list[Reply] = []
    new: dict[str, Import] = {}
    for envelope in envelopes:
        if found := publishing.receive_import(envelope.data, intake.plain):
            replies.append(Rejected((found,)))
        elif envelope.data.source.startswith("sha256:"):
            replies.append(await _publish_stored(intake, tx, envelope))
        else:
            new[envelope.id] = _import(envelope, tx.now)
            replies.append(Accepted({"publication": envelope.id, "state": "fetching"}))
    if new:
        await publications.add_imports(tx.conn, new)
        await tx.put_jobs(IMPORTS, [(id_, {}) for id_ in new])
    return replies


def _import(envelope: Envelope[ImportBundle], now: datetime) -> Import:
    c = envelope.data
    return Import(c.source, now, c.sha256, c.app, c.version, c.file_name, None, None, envelope.root, envelope.actor)


async def _publish_stored(intake: Intake, tx: Transaction, envelope: Envelope[ImportBundle]) -> Reply:
    """By reference to content that lies in the blob store."""
    command = envelope.data
    digest = command.source.removeprefix("sha256:")
    size = await intake.blobs.size(digest)
    if size is None:
        message = "the blob store has no such content; upload it first"
        return Rejected.because("unknown_bundle", message, "source", command.source)
    named = command.model_dump(include={"file_name", "app", "version"})
    publication = as_publication(envelope, PublishRelease(bundle_sha256=digest, bundle_bytes=max(size, 1), **named))
    (reply,) = await publish(intake, tx, [publication])
    return reply


def as_publication(envelope: Envelope[Any], command: PublishRelease) -> Envelope[PublishRelease]:
    """The command that this one has become, since its bundle lies in the blob store."""
    return replace(envelope, data=command)


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
        "app": envelope.data.app,
        "version": envelope.data.version,
    }


def _reply(after: Bundle | Fault) -> Reply:
    if isinstance(after, Fault):
        return Rejected((after,))
    result = {"bundle_sha256": after.sha256, "state": str(after.state)}
    if after.state is State.AVAILABLE:
        result |= {"release_id": after.release_id or "", "app": after.app or "", "version": after.version or ""}
    return Accepted(result)
