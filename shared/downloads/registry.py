"""Images out of their registries: what a tag means, manifests, and blobs from wherever an earlier try had come to.

All of it blocks: call it in a thread. Proxies and certificate authorities are those of this machine.
"""

import base64
import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import requests
import urllib3
from dxf import DXF
from dxf import _accept_header as _ACCEPTED  # noqa: N812 - of manifests and lists of them
from dxf.exceptions import DXFError, DXFUnauthorizedError
from requests.adapters import HTTPAdapter

from shared.components.images import Image
from shared.core.errors import BelayError
from shared.downloads.http import trust
from shared.downloads.pinned import AddressRefused, pools_within
from shared.targets import Bounds

SECONDS = 30.0
"""A registry that says nothing for so long is away, unless who asks it has less time."""

PART = 4 << 20
"""Bytes that a stream comes in at a time."""

PIECE = 1 << 16
BUSY = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class Access:
    """How registries are reached, beside what this machine says of proxies and authorities."""

    mirrors: Mapping[str, str] = field(default_factory=dict)
    """`HOST[:PORT]` -> the one that is asked in its place, with a path before its repositories if it has one.

    `https://` before it asks one of this machine over TLS, too.
    """
    plain: frozenset[str] = frozenset()
    """Those that are asked over HTTP; one of this machine is anyway."""
    logins: Path | None = None
    """A file as `docker login` writes it; None = where it does."""
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By registry, `user:password`: these go before the file's."""
    bounds: Bounds | None = None
    """How far in connections may lead, those that an answer leads on to, too; None = anywhere."""
    seconds: float = SECONDS
    """How long each answer may take to begin, or to go on."""


class RegistryRefused(BelayError, LookupError):
    """The registry answered, and asking it again would bring the same."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class RegistryAway(BelayError, OSError):
    """It cannot be reached, is ill or busy, or its answer broke off; it may be well in a while."""


class RegistrySilent(RegistryAway):
    """It gave no answer at all."""


def digest_of(image: Image) -> str:
    """The digest of an image's tag, by its registry. Raises LookupError with the reason why it cannot be had."""
    try:
        return resolve(image, Access())
    except (RegistryAway, RegistryRefused) as error:
        raise LookupError(f"its registry does not say what it is: {error}") from error


def resolve(image: Image, access: Access) -> str:
    """The digest (`sha256:…`) that a tag means now. Raises RegistryRefused and RegistryAway."""
    with _told(image), opened(image, access) as repository:
        digest, _ = repository.head_manifest_and_response(image.tag or "latest")
    if not digest:
        raise RegistryRefused("image_unavailable", f"the registry {image.registry} does not say the digest of the tag")
    return str(digest)


MANIFEST_BYTES = 4 << 20
"""As much as registries must take (OCI distribution specification, 1.1)."""

_AS_IT_IS = {**_ACCEPTED, "Accept-Encoding": "identity"}


def _let_go(answer: requests.Response, *_: Any, **__: Any) -> None:
    """Of a refusal dxf reads the headers alone, and logs in; a body that nobody reads keeps its connection."""
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        answer.close()


_OF_ANSWERS = {"response": _let_go}


def manifest_of(image: Image, sha256: str, access: Access) -> bytes:
    """The manifest (or list of them) that has this digest. Raises RegistryRefused and RegistryAway."""
    with _told(image), opened(image, access) as repository:
        # dxf itself takes whatever comes, and unpacks it.
        ask: Callable[..., requests.Response] = repository._request  # noqa: SLF001
        with ask("get", f"manifests/sha256:{sha256}", stream=True, headers=_AS_IT_IS, hooks=_OF_ANSWERS) as answer:
            content = bytes(answer.raw.read(MANIFEST_BYTES + 1, decode_content=False))
    if len(content) > MANIFEST_BYTES:
        raise RegistryRefused("wrong_content", f"{image.registry} answered more than a manifest may have")
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise RegistryRefused("wrong_content", f"{image.registry} answered {found} when asked for {sha256}")
    return content


def blob_of(image: Image, sha256: str, offset: int, access: Access) -> Generator[bytes]:
    """What follows after `offset` bytes of a blob, PART by PART; what came before a break is given first.

    A registry that knows no ranges is read from the beginning again. Raises RegistryRefused and RegistryAway.
    """
    ranged = {"Range": f"bytes={offset}-"} if offset else {}
    with _told(image), opened(image, access) as repository:
        # dxf itself gives whole blobs only; logins, tokens and redirections are its business all the same.
        ask: Callable[..., requests.Response] = repository._request  # noqa: SLF001
        answer = ask("get", f"blobs/sha256:{sha256}", stream=True, headers=ranged, hooks=_OF_ANSWERS)
        with answer:
            yield from _parts(answer, skip=offset if answer.status_code != requests.codes.partial_content else 0)


def _parts(answer: requests.Response, skip: int) -> Iterator[bytes]:
    gathered = bytearray()
    try:
        while piece := answer.raw.read(PIECE):
            gathered += piece[skip:]
            skip = max(skip - len(piece), 0)
            if len(gathered) >= PART:
                yield bytes(gathered)
                gathered.clear()
    except urllib3.exceptions.HTTPError as error:
        yield bytes(gathered)
        raise RegistryAway(f"the answer broke off: {error}") from error
    if gathered:
        yield bytes(gathered)


@contextmanager
def opened(image: Image, access: Access) -> Iterator[DXF]:
    """The repository of an image. Raises RegistryRefused where no registry is named."""
    registry = image.registry
    if registry is None:
        message = "names no registry: engines may have different ones in mind, so say which is meant"
        raise RegistryRefused("image_unavailable", message)
    scheme, _, place = access.mirrors.get(registry, registry).rpartition("://")
    host, _, before = place.partition("/")
    path = "/".join(filter(None, (before, image.name.partition("/")[2])))
    plain = scheme != "https" and (scheme == "http" or host in access.plain or _is_here(host))
    with DXF(host, path, _log_in(host, registry, access), plain, timeout=access.seconds) as repository:
        for prefix in ("https://", "http://"):
            repository._sessions[0].mount(prefix, Trusting(access.bounds))  # noqa: SLF001 - dxf takes no session of ours
        yield repository


class Trusting(HTTPAdapter):
    """Trusts what this machine trusts, through a proxy, too; and nobody else's connections in this process do.

    Within bounds each connection goes to an address that was checked; a proxy looks names up itself.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more, ssl_context=trust())
        if self._bounds is not None:
            self.poolmanager.pool_classes_by_scheme = pools_within(self._bounds)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        return super().proxy_manager_for(proxy, **more, ssl_context=trust())


@contextmanager
def _told(image: Image) -> Iterator[None]:
    where = f"the registry {image.registry}"
    try:
        yield
    except AddressRefused as error:
        raise RegistryRefused("private_source", str(error)) from error
    except DXFUnauthorizedError as error:
        raise RegistryRefused("registry_refused", f"{where} does not let us have {image.name} (401)") from error
    except requests.HTTPError as error:
        raise _of_status(image, where, error) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise RegistrySilent(f"{where} does not answer: {error}") from error
    except DXFError as error:
        raise RegistryRefused("registry_refused", f"{where}: {error or type(error).__name__}") from error


def _of_status(image: Image, where: str, error: requests.HTTPError) -> RegistryRefused | RegistryAway:
    status = error.response.status_code if error.response is not None else 0
    if status in BUSY or status >= 500:
        return RegistryAway(f"{where} is not well just now ({status})")
    if status == requests.codes.forbidden:
        return RegistryRefused("registry_refused", f"{where} does not let us have {image.name} ({status})")
    return RegistryRefused("image_unavailable", f"{where} does not have {image.by_digest} ({status})")


def _is_here(registry: str) -> bool:
    """A registry of this machine needs no TLS: so engines take it, too."""
    host = registry.rpartition(":")[0] or registry
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _log_in(host: str, registry: str, access: Access):  # type: ignore[no-untyped-def]  # dxf has no types for it
    """As it is given, or as `docker login` keeps it; without a login a registry may give a token to anybody."""
    login = access.passwords.get(registry) if host == registry else None
    user, _, password = (login or _login_of(host, access.logins)).partition(":")

    def log_in(dxf, response) -> None:  # type: ignore[no-untyped-def]
        dxf.authenticate(user or None, password or None, actions=["pull"], response=response)

    return log_in


def _login_of(registry: str, file: Path | None) -> str:
    """user:password; empty where none is kept."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        known = json.loads((file or folder / "config.json").read_text())["auths"][registry]["auth"]
        return base64.b64decode(known).decode()
    except (OSError, ValueError, KeyError, TypeError):
        return ""
