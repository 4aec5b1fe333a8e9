"""Downloads of our own: over the proxy that the usual variables name, trusting what this system trusts."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import truststore

from shared.downloads.surroundings import certificates

CONNECT_SECONDS, SILENT_SECONDS = 15.0, 60.0
TRIES = 3
"""An answer of 429 or 5xx, or a connection that breaks, may be another one the next time."""


class HttpRefused(RuntimeError):
    """The source answered, and it was not the file."""


def client() -> httpx.Client:
    """Raises OSError where the file of certificate authorities that was named cannot be read."""
    timeout = httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS)
    return httpx.Client(verify=trust(), timeout=timeout, follow_redirects=True)


def trust() -> ssl.SSLContext:
    """This system's trust store, and beside it the authorities that a variable names."""
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if named := certificates(os.environ):
        folder = Path(named).is_dir()
        _must_be_there(named)
        context.load_verify_locations(cafile=None if folder else named, capath=named if folder else None)
    return context


def _must_be_there(path: str) -> None:
    """OpenSSL's own error does not say which file."""
    Path(path).stat()


def fetch(http: httpx.Client, url: str, target: Path, told: Callable[[int], None]) -> None:
    """Write what is at that address to `target`, whole or not at all; `told` hears of each piece, in bytes.

    Raises Refused or httpx.TransportError after the last try.
    """
    for left in reversed(range(TRIES)):
        try:
            return _fetch(http, url, target, told)
        except Again as error:
            if not left:
                raise HttpRefused(str(error)) from error
        except httpx.TransportError:
            if not left:
                raise
    return None


class Again(RuntimeError):
    """The source is busy or ill just now."""


def _fetch(http: httpx.Client, url: str, target: Path, told: Callable[[int], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with http.stream("GET", url) as answer, draft.open("wb") as file:
            _must_be_good(answer)
            for piece in answer.iter_bytes():
                file.write(piece)
                told(len(piece))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _must_be_good(answer: httpx.Response) -> None:
    if answer.status_code == 429 or answer.status_code >= 500:
        raise Again(f"{answer.status_code} {answer.reason_phrase}")
    if answer.status_code != 200:
        raise HttpRefused(f"{answer.status_code} {answer.reason_phrase}")
