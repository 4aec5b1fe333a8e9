"""Commands to the catalog. Validation is long work: here it is only queued (validation.py does it)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.catalog import domain, store
from services.catalog.domain import Bundle, Release, State
from shared.blobs import Blobs
from shared.codec import Envelope
from shared.inbox import Accepted, Rejected, Verdict
from shared.ledger import Turn
from shared.messages.base import Fault, Message
from shared.messages.catalog import PublishRelease, ReleaseWithdrawn, WithdrawRelease

VALIDATIONS = "validation"
"""The queue of bundles that wait for a worker; the id of a job is the bundle's digest."""


async def publish(blobs: Blobs, turn: Turn, envelopes: Sequence[Envelope[PublishRelease]]) -> Sequence[Verdict]:
    """Take bundles in and queue their validation; a bundle known already is answered with what became of it."""
    digests = sorted({envelope.data.bundle_sha256 for envelope in envelopes})
    sizes = dict(zip(digests, await asyncio.gather(*map(blobs.size, digests)), strict=True))
    bundles = await store.lock_bundles(turn.conn, digests)
    verdicts: list[Verdict] = []
    received: list[Envelope[PublishRelease]] = []
    for envelope in envelopes:
        digest = envelope.data.bundle_sha256
        before = bundles.get(digest, Bundle(digest))
        after = domain.receive(envelope.data, before, sizes[digest])
        verdicts.append(_verdict(after))
        if isinstance(after, Bundle):
            bundles[digest] = after
            if after.state != before.state:
                received.append(envelope)
    await _queue(turn, received)
    return verdicts


async def _queue(turn: Turn, received: Sequence[Envelope[PublishRelease]]) -> None:
    if received:
        await store.receive_bundles(turn.conn, [envelope.data for envelope in received], turn.now)
        await turn.put_jobs(VALIDATIONS, [(e.data.bundle_sha256, _payload(e)) for e in received])


def _payload(envelope: Envelope[PublishRelease]) -> dict[str, object]:
    """What the worker must know to speak of the bundle, and on whose behalf."""
    return {
        "file_name": envelope.data.file_name,
        "bytes": envelope.data.bundle_bytes,
        "correlation_id": envelope.root,
        "actor": envelope.actor,
    }


def _verdict(after: Bundle | Fault) -> Verdict:
    if isinstance(after, Fault):
        return Rejected((after,))
    result = {"bundle_sha256": after.sha256, "state": str(after.state)}
    if after.state is State.AVAILABLE:
        result |= {"release_id": after.release_id or "", "app": after.app or "", "version": after.version or ""}
    return Accepted(result)


async def withdraw(_: Blobs, turn: Turn, envelopes: Sequence[Envelope[WithdrawRelease]]) -> Sequence[Verdict]:
    """Take releases out of use."""
    commands = [envelope.data for envelope in envelopes]
    names = await store.as_published(turn.conn, {(c.app, c.version) for c in commands})
    releases = await store.lock_releases(turn.conn, sorted(set(names.values())))
    verdicts: list[Verdict] = []
    reasons: dict[str, str] = {}
    for envelope in envelopes:
        command = envelope.data
        name = names[command.app, command.version]
        after = domain.withdraw(command, releases.get(name))
        if isinstance(after, Release):
            releases[name] = after
            reasons[after.id] = command.reason
            _tell_withdrawn(turn, after, envelope)
            verdicts.append(Accepted({"release_id": after.id}))
        else:
            verdicts.append(Rejected((after,)))
    if reasons:
        await store.withdraw_releases(turn.conn, reasons, turn.now)
    return verdicts


def _tell_withdrawn(turn: Turn, release: Release, envelope: Envelope[WithdrawRelease]) -> None:
    event = ReleaseWithdrawn(
        release_id=release.id, app=release.app, version=release.version, reason=envelope.data.reason
    )
    turn.emit(event, sequence=release.sequence, cause=envelope)


CatalogHandler = Callable[[Blobs, Turn, Sequence[Envelope[Any]]], Awaitable[Sequence[Verdict]]]

HANDLERS: dict[type[Message], CatalogHandler] = {
    PublishRelease: publish,
    WithdrawRelease: withdraw,
}
