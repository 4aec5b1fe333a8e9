"""Commands about releases that are there, and what others say of them; publications have a room of their own."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.catalog import domain, store
from services.catalog.deletion.handlers import FREEING, decide, delete
from services.catalog.domain import Release
from services.catalog.preparation.handlers import end_withdrawn, prepare
from services.catalog.publication.handlers import Intake, import_bundles, publish
from services.catalog.signing.handlers import change_keys
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import Message
from shared.messages.catalog import (
    DeleteRelease,
    ImportBundle,
    PrepareRelease,
    PublishRelease,
    ReleaseWithdrawn,
    RemoveSigningKey,
    SetSigningKey,
    WithdrawRelease,
)
from shared.messages.deployer import HostReported, ReleaseUnneeded, ReleaseUseReported
from shared.wire.codec import Envelope


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
    ImportBundle: import_bundles,
    WithdrawRelease: withdraw,
    DeleteRelease: delete,
    PrepareRelease: prepare,
    HostReported: learn_hosts,
    ReleaseUnneeded: note_unneeded,
    ReleaseUseReported: decide,
    SetSigningKey: change_keys,
    RemoveSigningKey: change_keys,
}
