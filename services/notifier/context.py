"""What every handler needs besides its transaction."""

from dataclasses import dataclass

from services.notifier.settings import NotifierSettings
from shared.sealing import KeyPair


@dataclass(frozen=True, slots=True)
class Context:
    """The settings, and the keys that open sealed secrets."""

    settings: NotifierSettings
    keys: KeyPair
