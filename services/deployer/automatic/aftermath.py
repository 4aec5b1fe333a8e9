"""What follows from how operations ended: which release is chosen no more by what goes by itself, and what of that is
tried again, and when."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from services.deployer.automatic import store as failures
from services.deployer.automatic import survey_store as store
from services.deployer.automatic.commands import tell
from services.deployer.automatic.store import Failure
from services.deployer.domain import AUTOMATIC, Operation, Outcome
from services.deployer.settings import DeployerSettings
from shared.core.transaction import Transaction
from shared.messages.base import Cause
from shared.messages.words import OperationKind as Kind

OUR_OWN_DOING = frozenset({"cancelled"})
"""Causes that say nothing about a release."""

FINE = frozenset({Outcome.SUCCEEDED, Outcome.UNTOUCHED})
"""Ends that say nothing against a release either."""

UNKNOWN = Cause(code="failed", message="nobody said why")


class End(NamedTuple):
    """How an operation ended."""

    operation: Operation
    outcome: Outcome
    cause: Cause | None


async def note(tx: Transaction, ends: Sequence[End]) -> None:
    """Keep what follows from these, in the transaction that ends them.

    A release is to blame whoever asked for it: where apps go by themselves, it would be tried again at once otherwise.
    """
    own = DeployerSettings()
    if by_itself := [end for end in ends if end.operation.actor == AUTOMATIC]:
        await _of_our_own(tx, by_itself, own)
    if to_blame := [_failure(tx, end) for end in ends if _is_to_blame(end)]:
        for standing in await failures.add_failures(tx.conn, to_blame):
            tell(tx, standing, own.failed_at)


async def _of_our_own(tx: Transaction, ends: Sequence[End], own: DeployerSettings) -> None:
    """Wishes that came true are over; the others have their turn again."""
    await store.lock_wishes_of(tx.conn, [end.operation.id for end in ends])
    if done := [end.operation for end in ends if end.outcome is Outcome.SUCCEEDED]:
        brought_back = [operation.id for operation in done if operation.kind is Kind.RECOVER]
        await store.end_wishes(tx.conn, [operation.id for operation in done], brought_back)
    failed = [end for end in ends if end.outcome is not Outcome.SUCCEEDED]
    if not failed:
        return
    ids = [end.operation.id for end in failed]
    await store.fail_wishes(tx.conn, ids, own.automatic_tries, timedelta(seconds=own.automatic_again_seconds))
    await store.drift_stands(tx.conn, [(end.operation.site, end.operation.app) for end in failed])
    await store.pause(tx.conn, own.automatic_pause_seconds)


def _is_to_blame(end: End) -> bool:
    """Whether it is the release that failed: it was new to the site, and something was changed for it."""
    operation = end.operation
    moved = operation.kind in (Kind.APPLY, Kind.UPDATE) and operation.to_version not in (None, operation.from_version)
    return moved and end.outcome not in FINE and (end.cause or UNKNOWN).code not in OUR_OWN_DOING


def _failure(tx: Transaction, end: End) -> Failure:
    o, cause = end.operation, end.cause or UNKNOWN
    why = Cause(code=cause.code, message=cause.message[:1_000])
    return Failure(o.app, o.to_version or "", o.site, o.id, why, tx.now)
