"""Faults of bundles: collected to the end, shown safely, raised together."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from shared.core.errors import BelayError
from shared.messages.base import Fault, listed

if TYPE_CHECKING:
    from .claim import Claim

MOST_FAULTS = 100
"""More would not help whoever must mend the bundle, and must fit into one message."""


class BundleRefused(BelayError):
    """A bundle that cannot be taken, with every fault found, and the app and version it seems to be of.

    `claim`: what it says it is, where that much can be read and the archive ends where it should.
    """

    def __init__(
        self,
        faults: Iterable[Fault],
        app: str | None = None,
        version: str | None = None,
        claim: "Claim | None" = None,
    ) -> None:
        self.claim = claim
        self.faults = listed(tuple(faults))
        self.app = app
        self.version = version
        super().__init__("; ".join(fault.in_words for fault in self.faults))


def fault(code: str, where: str, message: str, value: Any = None) -> Fault:
    """A fault whose place and value, which come from the bundle, are made fit for messages and logs."""
    return Fault(code=code, field=printable(where), message=printable(message, 1_000), value=value)


def fault_of_size(size: int, limit: int) -> Fault | None:
    """A bundle that is too large, packed; `limit` is the setting `max_bundle_bytes`, the same for everybody."""
    if size <= limit:
        return None
    most = f"{limit} bytes ({limit / (1 << 20):.4g} MiB; the setting BELAY_MAX_BUNDLE_BYTES)"
    return fault("too_large", "", f"a bundle may have {most} at most", size)


def bounded(notices: Sequence[str], most: int) -> tuple[str, ...]:
    """As many as are told; a last one says how many more there are."""
    return (*notices[: most - 1], f"and {len(notices) - most + 1} more") if len(notices) > most else tuple(notices)


def printable(text: str, most: int = 200) -> str:
    """`text` without control characters, lone surrogates and excess: each is shown by its escape."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
    return shown if len(text) <= most else shown + "…"
