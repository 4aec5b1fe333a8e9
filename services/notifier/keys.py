"""The keys that deliveries are signed with: opened in memory only, at a delivery."""

import base64
import binascii

from shared.sealing import KeyPair, Unopenable


def signing_key(keys: KeyPair, sealed: str) -> bytes:
    """The key inside a sealed secret: raw text, or `whsec_` and base64. Raises Unopenable."""
    opened = keys.open(sealed)
    if not opened.startswith(b"whsec_"):
        return opened
    try:
        return base64.b64decode(opened.removeprefix(b"whsec_"), validate=True)
    except binascii.Error as error:
        raise Unopenable("after `whsec_` the secret must go on in base64") from error
