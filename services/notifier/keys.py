"""The notifier's key pair: secrets of subscriptions are sealed to the public half and opened here only.

`notifier.key` (mode 0600) is made once by whichever replica is first; `notifier.pub` is for everybody.
"""

import base64
import binascii
import os
import secrets
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

PRIVATE, PUBLIC = "notifier.key", "notifier.pub"


class Unsealable(Exception):
    """A sealed secret that this key does not open; the message says what would be right."""


def open_keys(home: Path) -> PrivateKey:
    """The private key under `home`, made if there is none; the public one is published beside it as base64."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / PRIVATE
    if not path.exists():
        _make(path)
    key = PrivateKey(base64.b64decode(path.read_text()))
    _write(home / PUBLIC, bytes(key.public_key), mode=0o644)
    return key


def unseal(key: PrivateKey, sealed: str) -> bytes:
    """The signing key inside a sealed secret: raw text, or `whsec_` and base64. Raises Unsealable."""
    try:
        opened = SealedBox(key).decrypt(base64.b64decode(sealed, validate=True))
    except (CryptoError, ValueError, binascii.Error) as error:
        raise Unsealable("must be a sealed box (base64) made with the public key in notifier.pub") from error
    if not opened.startswith(b"whsec_"):
        return opened
    try:
        return base64.b64decode(opened.removeprefix(b"whsec_"), validate=True)
    except binascii.Error as error:
        raise Unsealable("after `whsec_` the secret must go on in base64") from error


def _make(path: Path) -> None:
    """Written aside and linked into place: of two replicas that start together one wins, and both use its key."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _write(draft, bytes(PrivateKey.generate()), mode=0o600)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _write(path: Path, content: bytes, mode: int) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(content))
    draft.replace(path)
