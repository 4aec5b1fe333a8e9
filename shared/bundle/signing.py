"""Signatures of bundles: Ed25519 over the very bytes of the list of checksums, which names every other file.

Beside the list lies `checksums.sha256.sig`: a line for each key that signed, with the id of the key and the signature.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from shared.messages.base import Fault

from .faults import fault

SIGNATURES = "checksums.sha256.sig"
SIGNATURE_BYTES = 16 * 1024
MOST = 10
_LINE = re.compile(r"([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)")


class BadKey(ValueError):
    """What should be a key is none."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and the signatures by the ids of their keys."""

    content: bytes
    signatures: tuple[tuple[str, bytes], ...]


def key_id_of(public: str) -> str:
    """By what a signature says whose it is. Raises BadKey."""
    return hashlib.sha256(_bytes(public)).hexdigest()[:16]


def fits(public: str, content: bytes, signature: bytes) -> bool:
    """Whether the owner of this key (base64) signed that content. Raises BadKey."""
    try:
        VerifyKey(_bytes(public)).verify(content, signature)
    except BadSignatureError:
        return False
    return True


def new_key() -> tuple[str, str]:
    """A private and a public key, both in base64."""
    made = SigningKey.generate()
    return base64.b64encode(bytes(made)).decode(), base64.b64encode(bytes(made.verify_key)).decode()


def line_of(private: str, content: bytes) -> str:
    """The line that a key writes under this content. Raises BadKey."""
    key = SigningKey(_bytes(private))
    public = base64.b64encode(bytes(key.verify_key)).decode()
    return f"{key_id_of(public)} {base64.b64encode(key.sign(content).signature).decode()}\n"


def read_signatures(text: bytes) -> tuple[tuple[tuple[str, bytes], ...], list[Fault]]:
    """The signatures of a file of them, and what is wrong with it."""
    found, faults = [], []
    for number, line in enumerate(text.decode(errors="replace").splitlines(), start=1):
        if match := _LINE.fullmatch(line.strip()):
            found.append((match[1], base64.b64decode(match[2])))
        elif line.strip():
            message = "must be the id of a key, a space, and an Ed25519 signature in base64"
            faults.append(fault("signature_wrong", f"{SIGNATURES}:{number}", message))
    if not found and not faults:
        faults.append(fault("signature_wrong", f"{SIGNATURES}:1", "holds no signature"))
    if len(found) > MOST:
        faults.append(fault("signature_wrong", f"{SIGNATURES}:{MOST + 1}", f"holds more than {MOST} signatures"))
    return tuple(found[:MOST]), faults


def _bytes(key: str) -> bytes:
    try:
        found = base64.b64decode(key.strip(), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != 32:
        raise BadKey("a key is 32 bytes in base64, as `belay bundle keygen` writes it")
    return found
