"""What every handler needs besides its transaction."""

from dataclasses import dataclass

from nacl.public import PrivateKey

from services.notifier.settings import NotifierSettings


@dataclass(frozen=True, slots=True)
class Context:
    """The knobs, and the key that opens sealed secrets."""

    settings: NotifierSettings
    key: PrivateKey
