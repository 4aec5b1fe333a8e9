"""Sealed boxes (PyNaCl): anybody seals for an owner with its public key, and only the owner opens.

Under the home lie `<owner>.key` (mode 0600), made once by whichever replica is first, and `<owner>.pub` for everybody
who seals without Belay's help. All replicas of an owner need the same key: they share the home, or get a copy of it.
"""

import base64
import binascii
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox


class Unopenable(Exception):
    """A sealed value that this key does not open; the message says what would be right."""


class NoKey(ValueError):
    """What should be a public key is none."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """What an owner opens with. Nothing of the private half is ever shown."""

    owner: str
    _private: PrivateKey = field(repr=False)

    @staticmethod
    def of(home: Path, owner: str) -> "KeyPair":
        """The pair under `home`, made if there is none; the public half is written beside it as base64."""
        home.mkdir(parents=True, exist_ok=True)
        path = home / f"{owner}.key"
        if not path.exists():
            _make(path)
        private = PrivateKey(base64.b64decode(path.read_text()))
        _write(home / f"{owner}.pub", bytes(private.public_key), mode=0o644)
        return KeyPair(owner, private)

    @property
    def public(self) -> str:
        """The public half in base64: what `seal` takes."""
        return base64.b64encode(bytes(self._private.public_key)).decode()

    @property
    def id(self) -> str:
        """Tells key pairs apart: the SHA-256 of the public half."""
        return key_id(self.public)

    def open(self, sealed: str) -> bytes:
        """What is inside. Raises Unopenable."""
        try:
            return SealedBox(self._private).decrypt(base64.b64decode(sealed, validate=True))
        except (CryptoError, ValueError, binascii.Error) as error:
            right = f"must be a sealed box (base64) made with the public key in {self.owner}.pub"
            raise Unopenable(right) from error

    def digest(self, content: bytes, salt: str) -> bytes:
        """16 bytes that stand for content: who has not this key cannot try out what the content may have been."""
        salted = hashlib.blake2b(salt.encode(), digest_size=16).digest()
        return hashlib.blake2b(content, digest_size=16, key=bytes(self._private), salt=salted).digest()


def seal(value: bytes, public: str) -> str:
    """The value in a sealed box, as base64; other text each time. Raises NoKey."""
    try:
        key = PublicKey(base64.b64decode(public, validate=True))
    except (CryptoError, ValueError) as error:
        raise NoKey("a public key is 32 bytes in base64") from error
    return base64.b64encode(SealedBox(key).encrypt(value)).decode()


def key_id(public: str) -> str:
    """The id of the pair with this public half."""
    return hashlib.sha256(base64.b64decode(public)).hexdigest()


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
    """Whole or not at all, also when the machine ends: half a key would lose everything that was sealed to it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(content))
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
