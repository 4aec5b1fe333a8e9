"""Secrets are sealed before they travel: only the notifier can open what is sealed to its public key."""

import base64
from pathlib import Path

from nacl.public import PublicKey, SealedBox

from shared.core.errors import BelayError

PUBLIC_KEY = "notifier.pub"


class NoKey(BelayError, OSError):
    """The notifier has not published its key yet; it does so when it starts."""


def seal(secret: str, home: Path) -> str:
    """The secret in a sealed box, as base64. Raises NoKey."""
    try:
        key = PublicKey(base64.b64decode((home / PUBLIC_KEY).read_text()))
    except (FileNotFoundError, ValueError) as error:
        raise NoKey(f"no usable {PUBLIC_KEY} under the home: the notifier writes it when it starts") from error
    return base64.b64encode(SealedBox(key).encrypt(secret.encode())).decode()
