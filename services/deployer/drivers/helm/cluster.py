"""A cluster by its API: what is asked of it as JSON, and how its being away is told from its saying no."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import Any, cast

import httpx2 as httpx
import msgspec
from lightkube import KubeConfig
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm.connection import Access

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
ASK_SECONDS, CONNECT_SECONDS = 15.0, 5.0
PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Between two tries to reach an API server that is away; the last one again and again."""

CHANGED = "changed_meanwhile"
"""The code of an object that is another than whoever writes it knows."""

_AWAY = frozenset({429, 500, 502, 503, 504})


class Unreachable(Exception):
    """The API server does not answer, or cannot at the moment."""


class Cluster:
    """One cluster. Each question is asked again while the API server is away, for at most `patience` seconds."""

    def __init__(self, http: httpx.AsyncClient, patience: float, tell: Callable[[str], None]) -> None:
        self._http = http
        self._patience = patience
        self._tell = tell
        self.away = 0
        """How often the API server was found away."""
        self.now = time.time()
        """By the cluster's clock, when it was last heard of."""

    @classmethod
    @asynccontextmanager
    async def at(cls, access: Access, patience: float, tell: Callable[[str], None]) -> AsyncIterator[Cluster]:
        """A client for the time of an order. Raises Failed when the kubeconfig cannot be used."""
        async with _client(access) as http:
            yield cls(http, patience, tell)

    async def get(self, path: str, **query: str) -> Any | None:
        """An object; None when there is none. Raises Failed when the API server says no, or stays away."""
        return await self.ask("GET", path, query)

    async def list(self, path: str, *, metadata_only: bool = False, **query: str) -> list[dict[str, Any]]:
        """Objects of one kind; with `metadata_only` what stands in Secrets does not travel."""
        headers = {"Accept": METADATA_ONLY} if metadata_only else {}
        found = await self.ask("GET", path, query, headers)
        return list((found or {}).get("items") or ())

    async def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
        body: Any | None = None,
    ) -> Any | None:
        """The answer as JSON, None for 404. Raises Failed."""
        last_heard, pauses = time.monotonic(), iter(PAUSES)
        pause = PAUSES[0]
        while True:
            try:
                return await self._once(method, path, query, headers, body)
            except Unreachable as error:
                self.away += 1
                waited = time.monotonic() - last_heard
                if waited > self._patience:
                    raise Failed("unreachable", f"the API server did not answer for {waited:.0f} s: {error}") from None
                self._tell(f"waits for the API server: {error}")
                pause = next(pauses, pause)
                await asyncio.sleep(pause)

    async def _once(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: Any | None
    ) -> Any | None:
        answer = await self.raw(method, path, query, headers, body)
        self._read_clock(answer)
        if answer.status_code == 404:
            return None
        if answer.status_code >= 400:
            raise _refusal(answer)
        return _object(answer)

    async def raw(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
        body: Any | None = None,
    ) -> httpx.Response:
        """Ask once. Raises Unreachable, and Failed where the certificates do not fit."""
        try:
            return await self._http.request(method, path, params=query, headers=headers, json=body)
        except httpx.InvalidURL as error:
            raise Failed("bad_connection", f"kubeconfig: its server is no address: {error}") from None
        except httpx.RequestError as error:
            if certificate := _certificate_fault(error):
                raise Failed("bad_certificate", certificate) from None
            raise Unreachable(str(error) or type(error).__name__) from error

    def _read_clock(self, answer: httpx.Response) -> None:
        with suppress(ValueError, OverflowError):  # whoever stands before the API server may write it otherwise
            if said := answer.headers.get("date"):
                self.now = parsedate_to_datetime(said).timestamp()


def _client(access: Access) -> httpx.AsyncClient:
    try:
        timeout = httpx.Timeout(ASK_SECONDS, connect=CONNECT_SECONDS)
        parameters = ConnectionParams(timeout=timeout, proxy=_proxy(access))
        config = KubeConfig.from_dict(dict(access.kubeconfig)).get(access.context)
        return AsyncClient(cast("SingleConfig", config), parameters)
    except (ConfigError, KeyError, TypeError, msgspec.ValidationError, httpx.InvalidURL) as error:
        raise Failed("bad_connection", f"kubeconfig: cannot be used: {error}") from None
    except (ssl.SSLError, ValueError) as error:
        raise Failed("bad_connection", f"kubeconfig: a certificate or key in it cannot be read: {error}") from None


def _proxy(access: Access) -> str | None:
    """Helm obeys the kubeconfig in this, and lightkube does not know it."""
    found = access.cluster.get("proxy-url")
    return str(found) if found else None


def _certificate_fault(error: BaseException | None) -> str:
    """What is wrong with a certificate, theirs or ours, where that is why nobody could be reached."""
    seen = set[int]()  # one that was raised a second time can be its own cause
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the API server's certificate is not accepted: {error.verify_message}"
        if isinstance(error, ssl.SSLError) and "ALERT" in str(error.reason).upper():
            return f"the API server does not accept our certificate: {error.reason}"
        error = error.__cause__ or error.__context__
    return ""


def _object(answer: httpx.Response) -> dict[str, Any]:
    """What Kubernetes says is an object. A page is of somebody before it, or instead of it, and may go again."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreachable(f"it answers {answer.status_code} and no object of Kubernetes; is there a proxy before it?")
    return found


def _refusal(answer: httpx.Response) -> Failed | Unreachable:
    try:
        said = answer.json().get("message") or answer.reason_phrase
    except (ValueError, AttributeError):
        said = answer.reason_phrase
    if answer.status_code in _AWAY:
        return Unreachable(f"it answers {answer.status_code}: {said}")
    if answer.status_code == 401:
        message = "the API server does not know us: the token or client certificate is wrong, expired or revoked"
        return Failed("unauthorized", message)
    code = {403: "forbidden", 409: CHANGED}.get(answer.status_code, "api_error")
    return Failed(code, f"the API server refuses: {said}")
