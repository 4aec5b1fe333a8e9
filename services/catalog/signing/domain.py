"""Whether a bundle is signed by somebody who may sign releases of its app. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.bundle.signing import SIGNATURES, Signed, fits, key_id_of
from shared.messages.base import Fault
from shared.messages.catalog import Signature


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is trusted for one app."""

    name: str
    public_key: str
    expires_at: datetime | None = None

    def lives(self, now: datetime) -> bool:
        """Whether it may still sign."""
        return self.expires_at is None or now < self.expires_at


def judge(
    app: str, signed: Signed | None, keys: Sequence[Key], now: datetime, *, required: bool
) -> Signature | Fault | None:
    """Who signed it; None where nobody did and nobody need.

    An app that has keys takes nothing unsigned: else who takes the signature away could publish anything.
    """
    if signed is None:
        if not (required or keys):
            return None
        message = f"bundles of {app} must be signed: `belay bundle sign`"
        return Fault(code="signature_missing", field=SIGNATURES, message=message)
    if not (required or keys):
        return None
    return _signer(app, signed, keys, now)


def _signer(app: str, signed: Signed, keys: Sequence[Key], now: datetime) -> Signature | Fault:
    known = {key_id_of(key.public_key): key for key in keys}
    for id_, signature in signed.signatures:
        key = known.get(id_)
        if key and key.lives(now) and fits(key.public_key, signed.content, signature):
            return Signature(key=key.name, public_key=key.public_key)
    return _fault(app, signed, known, now)


def _fault(app: str, signed: Signed, known: dict[str, Key], now: datetime) -> Fault:
    named = [(id_, known[id_]) for id_, _ in signed.signatures if id_ in known]
    if any(key.lives(now) for _, key in named):
        message = "the signature is not of this list of checksums: one of them was changed"
        return Fault(code="signature_wrong", field=f"{SIGNATURES}:1", message=message, value=named[0][1].name)
    if named:
        message = f"the key {named[0][1].name!r} has expired; sign with another one"
    else:
        message = (
            f"none of the keys of {app} has signed it; the keys that did: {', '.join(i for i, _ in signed.signatures)}"
        )
    return Fault(code="signature_unknown_key", field=f"{SIGNATURES}:1", message=message)
