"""Overrides are set, restored and cleared."""

from collections.abc import Sequence

from shared.core.inbox import Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.deployer import ClearOverrides, RestoreOverrides, SetOverrides
from shared.wire.codec import Envelope

Change = SetOverrides | RestoreOverrides | ClearOverrides


async def change_overrides(tx: Transaction, envelopes: Sequence[Envelope[Change]]) -> list[Reply]:  # noqa: ARG001
    """Refuse them, as long as they are kept nowhere."""
    return [Rejected.because("unavailable", "overrides are not kept yet", "app", e.data.app) for e in envelopes]
