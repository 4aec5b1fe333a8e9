"""What a registry of images says that a tag means now."""

import base64
import json
import os
from ipaddress import ip_address
from pathlib import Path

import requests
import truststore
from dxf import DXF
from dxf.exceptions import DXFError

from shared.components.images import Image

SECONDS = 30


def digest_of(image: Image) -> str:
    """The digest of an image's tag, by its registry. Raises LookupError with the reason why it cannot be had."""
    if image.registry is None:
        raise LookupError("names no registry: engines may have different ones in mind, so say which is meant")
    truststore.inject_into_ssl()
    repository = image.name.partition("/")[2]
    registry = DXF(image.registry, repository, _log_in(image.registry), _is_here(image.registry), timeout=SECONDS)
    try:
        digest, _ = registry.head_manifest_and_response(image.tag or "latest")
    except (requests.RequestException, DXFError, OSError) as error:
        raise LookupError(f"the registry {image.registry} does not say what it is: {error}") from error
    if not digest:
        raise LookupError(f"the registry {image.registry} does not say the digest of the tag")
    return str(digest)


def _is_here(registry: str) -> bool:
    """A registry of this machine needs no TLS: so engines take it, too."""
    host = registry.rpartition(":")[0] or registry
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _log_in(registry: str):  # type: ignore[no-untyped-def]  # dxf has no types for it
    """As `docker login` keeps it; without a login a registry may give a token to anybody."""
    user, _, password = _login_of(registry).partition(":")

    def log_in(dxf, response) -> None:  # type: ignore[no-untyped-def]
        dxf.authenticate(user or None, password or None, actions=["pull"], response=response)

    return log_in


def _login_of(registry: str) -> str:
    """user:password; empty where none is kept."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        known = json.loads((folder / "config.json").read_text())["auths"][registry]["auth"]
        return base64.b64decode(known).decode()
    except (OSError, ValueError, KeyError, TypeError):
        return ""
