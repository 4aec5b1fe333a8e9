"""A file from an address that somebody named, from any byte on.

Each address on the way, of a redirection too, is checked, and so is every address behind its name, at the moment of
connecting. Through a proxy names are resolved by the proxy: what lies behind them is then looked up beforehand, and
that they reach nothing inside is the proxy's duty too.
"""

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from shared.core.errors import BelayError
from shared.downloads.http import trust
from shared.downloads.surroundings import proxy_to, shown
from shared.targets import Bounds, CheckedResolver, TargetRefused, UnknownHost, check_literal, check_target

CONNECT_SECONDS, SILENT_SECONDS = 15.0, 60.0
MOST_REDIRECTIONS = 10
REDIRECTIONS = frozenset({301, 302, 303, 307, 308})
MISSING = frozenset({404, 410})
BUSY = frozenset({408, 425, 429})
PIECE = 1 << 18


class SourceRefused(BelayError):
    """It cannot be had from there, and asking again would bring the same."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class SourceAway(BelayError, OSError):
    """It does not answer, or its answer broke off; it may be well in a while."""


@dataclass(frozen=True, slots=True)
class Rules:
    """From where may be fetched."""

    bounds: Bounds
    plain: bool
    """Whether without TLS."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source answered: the bytes from `offset` on."""

    offset: int
    total: int | None
    """Of the whole file; None where the source does not say."""
    validator: str | None
    """By which it tells whether the file is the same later (If-Range); None = it cannot be gone on with."""
    file_name: str
    chunks: AsyncIterator[bytes]


@asynccontextmanager
async def asked(url: str, offset: int, validator: str | None, rules: Rules) -> AsyncIterator[Answer]:
    """Ask for a file from `offset` on, if it is still the one of that validator; else it comes from its beginning.

    Raises SourceRefused and SourceAway, also while the content is read.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "Belay"}
    if offset and validator:
        headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
    address = _address(url)
    with _told(url):
        async with _answered(address, headers, rules) as response:
            yield _answer(response, offset if "Range" in headers else 0)


@asynccontextmanager
async def _answered(url: URL, headers: dict[str, str], rules: Rules) -> AsyncIterator[aiohttp.ClientResponse]:
    """The first answer that is no redirection."""
    for _ in range(MOST_REDIRECTIONS + 1):
        _check_scheme(url, rules)
        proxy = await _proxy_of(url, rules)
        async with _session(proxy, rules) as http, http.get(url, headers=headers, proxy=proxy, **_OURS) as response:
            location = response.headers.get("Location")
            if response.status not in REDIRECTIONS or location is None:
                _must_be_good(response)
                yield response
                return
            url = url.join(_address(location))
    raise SourceRefused("too_many_redirections", f"it leads on more than {MOST_REDIRECTIONS} times")


_OURS: dict[str, Any] = {"allow_redirects": False}


async def _proxy_of(url: URL, rules: Rules) -> str | None:
    check_literal(url.raw_host or "", rules.bounds)
    if proxy := proxy_to(str(url)):
        await check_target(str(url), rules.bounds, unknown_is_fault=False)
    return proxy


def _session(proxy: str | None, rules: Rules) -> aiohttp.ClientSession:
    resolver = None if proxy else CheckedResolver(rules.bounds)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True, ssl=trust()),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS),
        auto_decompress=False,
        trust_env=False,
    )


def _address(text: str) -> URL:
    """Raises SourceRefused for what is none, such as one with the port 99999."""
    try:
        url = URL(text)
        urlsplit(str(url)).port  # noqa: B018 - it is checked when it is read
    except ValueError as error:
        said = f"{text.partition('?')[0][:200]!r} is no address: its host or its port is none"
        raise SourceRefused("source_refused", said) from error
    return url


def _check_scheme(url: URL, rules: Rules) -> None:
    if url.scheme == "https" or (url.scheme == "http" and rules.plain):
        return
    if url.scheme == "http":
        message = "it would come without TLS; BELAY_CATALOG_PLAIN_SOURCES=true allows such sources"
        raise SourceRefused("insecure_source", message)
    raise SourceRefused("source_refused", f"it leads to {url.scheme or 'no scheme'}, and not to https")


def _must_be_good(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status in {200, 206}:
        return
    said = f"it answers {status} {response.reason or ''}".strip()
    if status in BUSY or status >= 500:
        raise SourceAway(said)
    if status == 416:
        raise SourceAway(f"{said}: the file has become shorter")
    raise SourceRefused("source_missing" if status in MISSING else "source_refused", said)


def _answer(response: aiohttp.ClientResponse, offset: int) -> Answer:
    start, total = _range_of(response)
    if start != offset:
        start = 0 if response.status == 200 else start
    if start not in (0, offset):
        raise SourceAway(f"it answers from byte {start} on when asked for those from {offset} on")
    etag = response.headers.get("ETag", "")
    strong = etag if etag.startswith('"') else None
    return Answer(start, total, strong, _file_name(response), response.content.iter_chunked(PIECE))


def _range_of(response: aiohttp.ClientResponse) -> tuple[int, int | None]:
    if response.status != 206:
        return 0, response.content_length
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if found is None:
        raise SourceAway("it answers with a part, and does not say which")
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _file_name(response: aiohttp.ClientResponse) -> str:
    """As the source calls it, without any path: else the last part of its address."""
    named = response.content_disposition.filename if response.content_disposition else None
    last = re.split(r"[/\\]", named or response.url.name)[-1]
    return "".join(c for c in last if c.isprintable())[:255]


class _told:  # noqa: N801 - used as a function
    """Errors of the connection in our words."""

    def __init__(self, url: str) -> None:
        self._url = shown(url)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        refused = cause if isinstance(cause, TargetRefused) else getattr(cause, "__cause__", None)
        if isinstance(refused, TargetRefused):
            raise SourceRefused("private_source", str(refused)) from error
        if isinstance(error, aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
            raise SourceRefused("source_tls", f"no secure connection to it can be made: {cause}"[:500]) from error
        if isinstance(error, UnknownHost):
            raise SourceRefused("source_refused", str(error)[:500]) from error
        if isinstance(error, aiohttp.InvalidURL):  # which repeats it
            raise SourceRefused("source_refused", f"{self._url} is no address") from error
        if isinstance(error, SourceAway | SourceRefused) or error is None:
            return
        if isinstance(error, aiohttp.ClientError | TimeoutError):
            raise SourceAway(f"{self._url} does not answer: {cause or type(error).__name__}"[:500]) from error
